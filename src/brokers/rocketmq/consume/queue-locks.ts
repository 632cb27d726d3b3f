import type { GroupRequests } from './group-requests.js'
import type { ReadQueue } from './queue-requests.js'

/** Brokers give a lock to somebody else after 60 s. */
const LOCK_LASTS_MS = 30_000

export interface QueueLocksOptions {
  requests: GroupRequests
  addressOf(queue: ReadQueue): string
}

/** Holds queues at their brokers for one member, so that an order holds across the members of a group. */
export class QueueLocks {
  readonly #options: QueueLocksOptions
  /** When each was last locked, by the monotonic clock. */
  readonly #lockedAt = new Map<string, number>()

  constructor(options: QueueLocksOptions) {
    this.#options = options
  }

  /** Locks or renews; to be called well within the time a lock lasts. @returns keys of those that are held now */
  async hold(queues: ReadQueue[]): Promise<Set<string>> {
    const { requests, addressOf } = this.#options
    const now = performance.now()
    const byAddress = new Map<string, ReadQueue[]>()
    for (const queue of queues) {
      const address = addressOf(queue)
      byAddress.set(address, [...(byAddress.get(address) ?? []), queue])
    }
    await Promise.all(
      [...byAddress].map(async ([address, ofBroker]) => {
        const locked = await requests.lock(address, ofBroker).catch(() => undefined)
        // Without an answer the lock from before may go on for a while.
        if (!locked) return
        for (const queue of ofBroker) this.#lockedAt.delete(keyOf(queue))
        for (const queue of locked) this.#lockedAt.set(keyOf(queue), now)
      }),
    )
    const isHeld = (key: string) =>
      now - (this.#lockedAt.get(key) ?? Number.NEGATIVE_INFINITY) < LOCK_LASTS_MS
    return new Set(queues.map(keyOf).filter(isHeld))
  }

  /** @throws RelayError */
  async release(queue: ReadQueue): Promise<void> {
    const { requests, addressOf } = this.#options
    this.#lockedAt.delete(keyOf(queue))
    await requests.unlock(addressOf(queue), [queue])
  }
}

export function keyOf({ topic, broker, id }: ReadQueue): string {
  return `${topic} ${broker} ${id}`
}
