import type { TObject } from 'typebox'
import { settingsBy, settingsInvalid } from '../../brokers/settings.js'
import type { Log } from '../../core/log.js'
import type { Notice, Severity } from '../notice.js'
import { openMail } from './mail.js'
import { logSettingsSchema, mailSettingsSchema, webhookSettingsSchema } from './settings.js'
import { openWebhook } from './webhook.js'

/**
 * Hands one notice over, within the time limit of its settings and two seconds at most above it.
 * @returns what went wrong without keeping it from being delivered, such as one recipient of several.
 * @throws RelayError NOTIFIER_REFUSED, NOTIFIER_UNREACHABLE
 */
export type Deliver = (notice: Notice) => Promise<string[]>

interface NotifierKind {
  settings: TObject
  /** @throws RelayError SETTINGS_INVALID; nothing is connected. */
  open(settings: Record<string, unknown>, log: Log): Deliver
}

/** The ways notices can take. */
export const NOTIFIER_KINDS: Readonly<Record<string, NotifierKind>> = {
  webhook: { settings: webhookSettingsSchema, open: openWebhook },
  mail: { settings: mailSettingsSchema, open: openMail },
  log: { settings: logSettingsSchema, open: openLog },
}

/** @throws RelayError SETTINGS_INVALID naming the kinds there are. */
export function notifierKind(kind: string): NotifierKind {
  const found = Object.hasOwn(NOTIFIER_KINDS, kind) ? NOTIFIER_KINDS[kind] : undefined
  if (found) return found
  throw settingsInvalid(`kind "${kind}" is unknown: use one of ${Object.keys(NOTIFIER_KINDS).join(', ')}`)
}

const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const satisfies Record<
  Severity,
  keyof Log
>

/** Writes notices to the log of the program. */
function openLog(given: Record<string, unknown>, log: Log): Deliver {
  settingsBy({ of: 'a log notifier', schema: logSettingsSchema }, given)
  return async ({ kind, title, ...fields }) => {
    log[kind === 'firing' ? LEVELS[fields.severity] : 'info'](title, { ...fields })
    return []
  }
}
