import { isSecretPath, secretPathsOf } from '../../adapters/stored-settings.js'
import { RelayError } from '../../core/errors.js'
import type { Existing } from '../section.js'

const SETTINGS = 'settings.'

/** @param path such as `settings.sasl.password` */
export function isSecretSetting(schema: unknown, path: string): boolean {
  return path.startsWith(SETTINGS) && isSecretPath(path.slice(SETTINGS.length), secretPathsOf(schema))
}

/** @throws RelayError SETTINGS_INVALID */
export function refuseOtherKind(thing: string, kind: string, existing: Existing | undefined): void {
  if (!existing || existing.fields.kind === kind) return
  throw new RelayError(
    'SETTINGS_INVALID',
    `kind is ${kind} here, and the ${thing} there is of kind ${existing.fields.kind}, which never changes: give this one another name, or delete that one first`,
  )
}

export function recordOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value)) : {}
}
