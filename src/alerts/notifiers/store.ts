import { validate as isUuid, v7 as uuidv7 } from 'uuid'
import { variableLookup } from '../../adapters/resolve-adapter.js'
import type { Secrets } from '../../adapters/secrets.js'
import type { AdapterStore } from '../../adapters/store.js'
import {
  publicSettings,
  resolveSettings,
  sealSettings,
  secretPathsOf,
} from '../../adapters/stored-settings.js'
import { RelayError } from '../../core/errors.js'
import { type Log, silentLog } from '../../core/log.js'
import { checkName } from '../../core/names.js'
import type { Database } from '../../db/database.js'
import { NotifierEntity, type NotifierRow } from '../../db/entities.js'
import { unlessNameIsTaken } from '../../db/taken-names.js'
import { type Deliver, notifierKind } from './kinds.js'

/** A way for notices to people, by a name that alert policies use. Secrets in its settings are sealed. */
export interface Notifier {
  id: string
  name: string
  kind: string
  description: string
  settings: Record<string, unknown>
  enabled: boolean
  /** Kept by `bpmn-relay apply`. */
  managed: boolean
}

/** What a person gives to make a notifier. */
export interface NewNotifier {
  name: string
  kind: string
  settings: Record<string, unknown>
  description?: string
  enabled?: boolean
  managed?: boolean
}

export interface NotifierChange {
  description?: string
  enabled?: boolean
  managed?: boolean
  /** All of them, with those sealed texts that stay as they are. */
  settings?: Record<string, unknown>
}

/** Notifiers in Postgres. */
export interface NotifierStore {
  /** By name. */
  notifiers(): Promise<Notifier[]>
  /** @throws RelayError NOT_FOUND */
  notifier(idOrName: string): Promise<Notifier>
  /** @throws RelayError SETTINGS_INVALID, ENV_UNKNOWN, NAME_TAKEN, MASTER_KEY_MISSING */
  create(input: NewNotifier): Promise<Notifier>
  /** @throws RelayError NOT_FOUND, SETTINGS_INVALID, ENV_UNKNOWN, MASTER_KEY_MISSING */
  update(idOrName: string, change: NotifierChange): Promise<Notifier>
  /** @throws RelayError NOT_FOUND */
  setEnabled(idOrName: string, enabled: boolean): Promise<Notifier>
  /** @throws RelayError NOT_FOUND; NOTIFIER_IN_USE naming the policies that tell it */
  delete(idOrName: string): Promise<Notifier>
  /** Makes a notifier ready to deliver. @throws RelayError SETTINGS_INVALID, ENV_UNKNOWN, MASTER_KEY_MISSING */
  open(notifier: Pick<Notifier, 'id' | 'name' | 'kind' | 'settings'>, log: Log): Promise<Deliver>
}

export function createNotifierStore(
  database: Database,
  adapters: Pick<AdapterStore, 'variables'>,
  secrets: Secrets,
): NotifierStore {
  const rows = database.orm.getRepository(NotifierEntity)

  async function notifier(idOrName: string): Promise<Notifier> {
    const row = await rows.findOneBy(isUuid(idOrName) ? { id: idOrName } : { name: idOrName })
    if (row) return notifierOf(row)
    throw new RelayError(
      'NOT_FOUND',
      `there is no notifier "${idOrName}": \`bpmn-relay notifier list\` shows them all`,
    )
  }

  const open: NotifierStore['open'] = async ({ id, name, kind, settings }, log) => {
    const lookup = variableLookup(await adapters.variables(), secrets)
    const owner = { kind: 'notifier', id, name } as const
    return notifierKind(kind).open(resolveSettings(settings, owner, lookup, secrets), log)
  }

  return {
    notifier,
    open,

    async notifiers() {
      return (await rows.find({ order: { name: 'ASC' } })).map(notifierOf)
    },

    async create({ name, kind, settings, description = '', enabled = true, managed = false }) {
      checkName(name)
      const id = uuidv7()
      const secretPaths = secretPathsOf(notifierKind(kind).settings)
      const sealed = sealSettings(settings, secretPaths, { kind: 'notifier', id }, secrets)
      const row = { id, name, kind, description, settings: sealed, enabled, managed }
      await open(row, silentLog)
      await unlessNameIsTaken('a notifier', name, () => rows.insert(row))
      return await notifier(id)
    },

    async update(idOrName, { settings, ...change }) {
      const found = await notifier(idOrName)
      const { id, kind } = found
      const sealed =
        settings &&
        sealSettings(
          settings,
          secretPathsOf(notifierKind(kind).settings),
          { kind: 'notifier', id },
          secrets,
          found.settings,
        )
      if (sealed) await open({ ...found, settings: sealed }, silentLog)
      await rows.update({ id }, { ...change, ...(sealed && { settings: sealed }) })
      return await notifier(id)
    },

    async setEnabled(idOrName, enabled) {
      const { id } = await notifier(idOrName)
      await rows.update({ id }, { enabled })
      return await notifier(id)
    },

    async delete(idOrName) {
      const found = await notifier(idOrName)
      const policies = await database.query<{ name: string }>(
        'SELECT name FROM alert_policy WHERE $1 = ANY(notifiers) ORDER BY name',
        [found.name],
      )
      if (policies.length > 0) {
        throw new RelayError(
          'NOTIFIER_IN_USE',
          `notifier "${found.name}" is told by ${policies.map(({ name }) => `"${name}"`).join(', ')}: change ${policies.length > 1 ? 'these policies' : 'this policy'} first, or disable the notifier`,
        )
      }
      await rows.delete({ id: found.id })
      return found
    },
  }
}

/** A notifier as anyone may see it. */
export function publicNotifier({ id, name, kind, description, settings, enabled, managed }: Notifier) {
  return {
    ...{ id, name, kind, description, enabled, managed },
    settings: publicSettings(settings, notifierKind(kind).settings),
  }
}

function notifierOf({ settings, createdAt: _, updatedAt: __, ...row }: NotifierRow): Notifier {
  return { ...row, settings: Object.fromEntries(Object.entries(settings)) }
}
