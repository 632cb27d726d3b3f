import type { OutboundMessage, Receipt } from '../broker.js'
import { maxRecordBytes } from './record-batch.js'

/** A message on its way, and the promise its publisher waits for. */
export class Pending {
  readonly message: OutboundMessage
  /** Size as a record, rounded up. */
  readonly bytes: number
  /** `performance.now()` at which it came. */
  readonly since: number
  /** `performance.now()` at which the publisher is told that it failed, whatever is still going on. */
  readonly deadline: number
  /** `performance.now()` until which it may be sent once more. */
  readonly retryUntil: number
  /** `performance.now()` until which it may wait for others to be sent with. */
  readonly flushAt: number
  /** How often it was put back to be sent once more. */
  resends = 0
  readonly #registry: Set<Pending>
  readonly #resolve: (receipt: Receipt) => void
  readonly #reject: (error: Error) => void

  constructor(
    message: OutboundMessage,
    times: Pick<Pending, 'since' | 'deadline' | 'retryUntil' | 'flushAt'>,
    registry: Set<Pending>,
    resolve: (receipt: Receipt) => void,
    reject: (error: Error) => void,
  ) {
    this.message = message
    this.bytes = maxRecordBytes(message)
    this.since = times.since
    this.deadline = times.deadline
    this.retryUntil = times.retryUntil
    this.flushAt = times.flushAt
    this.#registry = registry
    this.#resolve = resolve
    this.#reject = reject
    registry.add(this)
  }

  get isSettled(): boolean {
    return !this.#registry.has(this)
  }

  succeed(receipt: Receipt): void {
    if (this.#registry.delete(this)) this.#resolve(receipt)
  }

  fail(error: Error): void {
    if (this.#registry.delete(this)) this.#reject(error)
  }
}
