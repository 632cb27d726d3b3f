import type { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'

/** Whether a member can consume just now; the log hears of changes only. */
export class Health {
  readonly #group: string
  readonly #log: Log
  /** By what they concern. */
  readonly #errors = new Map<string, RelayError>()
  #lastPollAt: number | undefined

  constructor(group: string, log: Log) {
    this.#group = group
    this.#log = log
  }

  get error(): RelayError | undefined {
    const [error] = this.#errors.values()
    return error
  }

  /** When a request for messages was last answered, milliseconds since 1970. */
  get lastPollAt(): number | undefined {
    return this.#lastPollAt
  }

  /** @param about what works again, of the things that may fail by themselves */
  answered(about = ''): void {
    this.#lastPollAt = Date.now()
    this.recovered(about)
  }

  /** As `answered`, where no messages were asked for. */
  recovered(about = ''): void {
    if (!this.#errors.delete(about) || this.#errors.size > 0) return
    this.#log.info('consuming again', { group: this.#group })
  }

  failed(error: RelayError, about = ''): void {
    if (this.#errors.get(about)?.message !== error.message) {
      this.#log.warn('not everything can be consumed just now', { group: this.#group, error: error.message })
    }
    this.#errors.set(about, error)
  }
}
