import type { RelayError } from '../../../core/errors.js'
import { toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { pause } from '../../../core/time-limit.js'
import { Bell } from '../../bell.js'
import { QueueWork, type QueueWorkOptions } from '../../queue-work.js'
import type { MessageFilter } from '../../subscription.js'
import { hasWantedTag, type SubscriptionData } from './filter.js'
import type { Pulled, ReadQueue } from './queue-requests.js'
import type { StoredMessage } from './stored-message.js'

/** Offsets between the oldest message that is not done and the newest fetched, at most. */
const WINDOW = 1000n
const SHORTEST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/** How often one who waits for room looks for itself. */
const LOOK_MS = 1000

export interface PulledQueueOptions {
  queue: ReadQueue
  start: bigint
  filter: MessageFilter | undefined
  data: SubscriptionData
  pull(queue: ReadQueue, offset: bigint, data: SubscriptionData): Promise<Pulled>
  /** Whether memory is left for more. */
  hasRoom(): boolean
  /** Undefined: an answer came. */
  onAnswer(error: RelayError | undefined): void
  /** There is something to start, or something ended. */
  onProgress(): void
  work: Pick<QueueWorkOptions<StoredMessage>, 'batchSize' | 'laneOf' | 'handle' | 'afterFailure'>
  log: Log
}

/** One queue that this member reads: fetches ahead of the handlers, as far as window and memory allow. */
export class PulledQueue {
  readonly queue: ReadQueue
  readonly #options: PulledQueueOptions
  readonly #bell = new Bell()
  readonly #stop = new AbortController()
  #work: QueueWork<StoredMessage>
  #isPaused = false
  /** Whether the group's offset for it on the broker is this. */
  committed: bigint | undefined

  constructor(options: PulledQueueOptions) {
    this.queue = options.queue
    this.#options = options
    this.#work = this.#newWork(options.start)
    void this.#pull(this.#work)
  }

  get position(): bigint {
    return this.#work.position
  }

  /** Offset behind all that was fetched. */
  get end(): bigint {
    return this.#work.end
  }

  get bytes(): number {
    return this.#work.bytes
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused
    this.#work.isPaused = isPaused
    this.#options.onProgress()
  }

  startNext(): Promise<void> | undefined {
    return this.#work.startNext()
  }

  /** To be called when memory or the window may have room again. */
  wake(): void {
    this.#bell.ring()
  }

  /** Forgets what was fetched and goes on there. */
  moveTo(offset: bigint): void {
    this.#work.drop()
    this.#work = this.#newWork(offset)
    this.#work.isPaused = this.#isPaused
    // The request under way may wait for messages at the old place for a while yet.
    void this.#pull(this.#work)
    this.wake()
  }

  /** Fetches and starts nothing any more; what is being handled still counts. */
  stop(): void {
    this.#stop.abort()
    this.#work.isPaused = true
    this.wake()
  }

  /** As `stop`, but what is being handled counts for nothing any more either. */
  drop(): void {
    this.stop()
    this.#work.drop()
  }

  idle(): Promise<void> {
    return this.#work.idle()
  }

  #newWork(start: bigint): QueueWork<StoredMessage> {
    const { work, onProgress } = this.#options
    return new QueueWork({ ...work, start, onProgress })
  }

  async #pull(work: QueueWork<StoredMessage>): Promise<void> {
    const { queue, data, pull, onAnswer } = this.#options
    const { signal } = this.#stop
    const isOver = () => signal.aborted || work !== this.#work
    let failures = 0
    while (!isOver()) {
      if (!this.#hasRoom(work)) {
        await this.#bell.wait(LOOK_MS)
        continue
      }
      try {
        const pulled = await pull(queue, work.end, data)
        if (isOver()) return
        onAnswer(undefined)
        failures = 0
        await this.#take(work, pulled)
      } catch (thrown) {
        if (isOver()) return
        onAnswer(toRelayError(thrown))
        await pause(Math.min(SHORTEST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS), signal)
      }
    }
  }

  async #take(work: QueueWork<StoredMessage>, pulled: Pulled): Promise<void> {
    const { queue, filter, onProgress, log } = this.#options
    switch (pulled.status) {
      case 'found': {
        const { messages, next } = pulled
        const wanted = messages.filter((message) => hasWantedTag(filter, message.properties.get('TAGS')))
        work.add(wanted, next)
        onProgress()
        return
      }
      case 'nothing':
        // Without a filter a broker answers this after its time to wait only, so that this is no busy loop.
        if (pulled.next === work.end) await pause(SHORTEST_PAUSE_MS, this.#stop.signal)
        else work.add([], pulled.next)
        return
      case 'moved':
        if (pulled.next === work.end) await pause(LONGEST_PAUSE_MS, this.#stop.signal)
        else {
          log.warn('the broker sends this consumer to another offset of the queue', {
            ...queue,
            from: String(work.end),
            to: String(pulled.next),
          })
          this.moveTo(pulled.next)
        }
        return
      default:
        pulled satisfies never
    }
  }

  #hasRoom(work: QueueWork<StoredMessage>): boolean {
    if (work.end - work.position >= WINDOW) return false
    return work.bytes === 0 || this.#options.hasRoom()
  }
}
