import { RelayError } from '../core/errors.js'
import { violatesUnique } from './database.js'

/**
 * What `write` gives.
 * @param thing what is to have the name, with its article
 * @throws RelayError NAME_TAKEN when another has it; else what `write` throws
 */
export async function unlessNameIsTaken<T>(thing: string, name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (cause) {
    if (!violatesUnique(cause)) throw cause
    throw new RelayError(
      'NAME_TAKEN',
      `there is ${thing} "${name}" already: choose another name or delete it first`,
      { cause },
    )
  }
}
