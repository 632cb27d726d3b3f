import type { RelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'

/** Whether a member can consume just now; the log hears of changes only. */
export class Health {
  readonly #group: string
  readonly #log: Log
  #error: RelayError | undefined
  #lastPollAt: number | undefined

  constructor(group: string, log: Log) {
    this.#group = group
    this.#log = log
  }

  get error(): RelayError | undefined {
    return this.#error
  }

  /** When a request for messages was last answered, milliseconds since 1970. */
  get lastPollAt(): number | undefined {
    return this.#lastPollAt
  }

  answered(): void {
    this.#lastPollAt = Date.now()
    if (this.#error) this.#log.info('consuming again', { group: this.#group })
    this.#error = undefined
  }

  failed(error: RelayError): void {
    if (this.#error?.message !== error.message) {
      this.#log.warn('not everything can be consumed just now', { group: this.#group, error: error.message })
    }
    this.#error = error
  }
}
