import type { Log } from '../../../core/log.js'
import { endsWithin } from '../../../core/time-limit.js'
import type { Dispatcher } from '../../queue-work.js'
import { CLOSE_BUDGET_MS } from '../../subscription.js'
import type { GroupOffsets } from './group-offsets.js'
import type { PulledQueue } from './pulled-queue.js'
import { keyOf, type QueueLocks } from './queue-locks.js'
import type { ReadQueue } from './queue-requests.js'

export interface HeldQueuesOptions {
  dispatcher: Dispatcher
  offsets: GroupOffsets
  /** Where the order of a queue must hold across members. */
  locks: QueueLocks | undefined
  open(queue: ReadQueue, start: bigint): PulledQueue
  signal: AbortSignal
  log: Log
}

/** The queues that one member has now: taken on and given up as the members share them out. */
export class HeldQueues {
  readonly #options: HeldQueuesOptions
  readonly #queues = new Map<string, PulledQueue>()
  /** Given up, while the last of their messages is being handled. */
  readonly #releasing = new Set<string>()

  constructor(options: HeldQueuesOptions) {
    this.#options = options
  }

  get all(): PulledQueue[] {
    return [...this.#queues.values()]
  }

  /** Makes these the queues of the member. Resolves to whether all of them could be had. */
  async become(share: readonly ReadQueue[]): Promise<boolean> {
    const mine = new Map(share.map((queue) => [keyOf(queue), queue]))
    for (const [key, pulled] of this.#queues) if (!mine.has(key)) this.#release(key, pulled)
    return this.#take(mine)
  }

  /** To be called when memory or a window may have room again. */
  wake(): void {
    for (const queue of this.#queues.values()) queue.wake()
  }

  /** Fetches and starts nothing any more. */
  stop(): void {
    for (const queue of this.all) queue.stop()
  }

  /** Commits what is done and lets the other members have them. */
  async leave(): Promise<void> {
    const { offsets, locks } = this.#options
    await Promise.allSettled(this.all.map((queue) => offsets.commit(queue)))
    for (const queue of this.all) queue.drop()
    await Promise.allSettled(this.all.map(({ queue }) => locks?.release(queue)))
  }

  /** Starts on those queues that are new. */
  async #take(mine: Map<string, ReadQueue>): Promise<boolean> {
    const { dispatcher, offsets, open, locks, signal, log } = this.#options
    const locked = locks && (await this.#lock(locks, [...mine.values()]))
    let isComplete = true
    await Promise.all(
      [...mine].map(async ([key, queue]) => {
        if (this.#queues.has(key)) return
        if (this.#releasing.has(key) || (locked && !locked.has(key))) {
          isComplete = false
          return
        }
        const offset = await offsets.startOf(queue)
        if (signal.aborted) return
        const pulled = open(queue, offset)
        pulled.committed = offset
        this.#queues.set(key, pulled)
        dispatcher.add(pulled)
        log.debug('consuming a queue', { ...queue, offset: String(offset) })
      }),
    )
    return isComplete
  }

  /** Gives a queue to whoever is to have it now. */
  #release(key: string, pulled: PulledQueue): void {
    const { dispatcher, offsets, locks, log } = this.#options
    this.#queues.delete(key)
    log.debug('a queue goes to another member', { ...pulled.queue })
    pulled.stop()
    if (!locks) {
      void offsets.commit(pulled).catch(() => undefined)
      pulled.drop()
      dispatcher.remove(pulled)
      return
    }
    // The others wait for the lock, so that its order holds across members.
    this.#releasing.add(key)
    void this.#handOver(pulled, locks).finally(() => {
      dispatcher.remove(pulled)
      this.#releasing.delete(key)
    })
  }

  async #handOver(pulled: PulledQueue, locks: QueueLocks): Promise<void> {
    const { offsets, log } = this.#options
    await endsWithin(pulled.idle(), CLOSE_BUDGET_MS)
    // What is not committed comes again, but a lock that stays would keep the queue from everybody for a minute.
    for (const step of [() => offsets.commit(pulled), () => locks.release(pulled.queue)]) {
      await step().catch((error: unknown) =>
        log.debug('giving up a queue failed', { ...pulled.queue, error: String(error) }),
      )
    }
    pulled.drop()
  }

  /** Keys of the queues that are locked for this member. Held ones that are not any more are given up at once. */
  async #lock(locks: QueueLocks, queues: ReadQueue[]): Promise<Set<string>> {
    const locked = await locks.hold(queues)
    for (const [key, pulled] of this.#queues) {
      if (locked.has(key)) continue
      this.#queues.delete(key)
      this.#options.dispatcher.remove(pulled)
      pulled.drop()
    }
    return locked
  }
}
