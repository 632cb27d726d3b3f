import type { OutboundMessage, Receipt } from '../broker.js'

/** Upper bounds of what the record format adds to a message and to a header, bytes. */
const RECORD_OVERHEAD = 40
const HEADER_OVERHEAD = 10

/** A message on its way, and the promise its publisher waits for. */
export class Pending {
  readonly message: OutboundMessage
  /** Size as a record, rounded up. */
  readonly bytes: number
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
    times: Pick<Pending, 'deadline' | 'retryUntil' | 'flushAt'>,
    registry: Set<Pending>,
    resolve: (receipt: Receipt) => void,
    reject: (error: Error) => void,
  ) {
    this.message = message
    this.bytes = recordBytes(message)
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

function recordBytes({ key, value, headers }: OutboundMessage): number {
  let bytes = RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0)
  for (const name of Object.keys(headers)) {
    const given = headers[name]
    const values = Array.isArray(given) ? given : given === undefined ? [] : [given]
    for (const header of values) {
      bytes += HEADER_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(header)
    }
  }
  return bytes
}
