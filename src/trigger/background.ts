import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin } from '../core/time-limit.js'

const END_LIMIT_MS = 10_000

/** Work that nobody waits for, so much at a time: whoever brings more waits until there is room. */
export class Background {
  readonly #running = new Set<Promise<void>>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  get size(): number {
    return this.#running.size
  }

  /** Resolves once the work is taken. */
  async take(limit: number, work: () => Promise<unknown>): Promise<void> {
    while (this.#running.size >= limit) await Promise.race(this.#running)
    const running: Promise<void> = work()
      .then(
        () => undefined,
        (error: unknown) => this.#log.error('a message is lost', { reason: messageOf(error) }),
      )
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Resolves once nothing runs, within a time limit. */
  async end(): Promise<void> {
    const ended = Promise.all(this.#running)
    if (await endsWithin(ended, END_LIMIT_MS)) return
    this.#log.error('messages are lost: they were acknowledged when they were received', {
      messages: this.#running.size,
    })
  }
}
