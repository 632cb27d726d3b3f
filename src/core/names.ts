import { validate as isUuid } from 'uuid'
import { RelayError } from './errors.js'

const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._ -]{0,199}$/u

/**
 * Refuses what cannot be the name of an adapter or the like, which commands know by name or id.
 * @throws RelayError SETTINGS_INVALID
 */
export function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw new RelayError(
      'SETTINGS_INVALID',
      `name ${JSON.stringify(name)} cannot be used: start with a letter or digit, then letters, digits, ". _ -" and spaces, 200 at most`,
    )
  }
  if (isUuid(name)) {
    throw new RelayError('SETTINGS_INVALID', `name "${name}" looks like an id: choose another name`)
  }
}
