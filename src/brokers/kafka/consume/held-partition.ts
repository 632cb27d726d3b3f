import { QueueWork, type QueueWorkOptions } from '../../queue-work.js'
import type { Place } from './assignment.js'
import type { FetchedMessage } from './records.js'

/** Offsets between the oldest message that is not done and the newest fetched, at most. */
const WINDOW = 10_000n

export interface HeldPartitionOptions extends Place {
  /** Bytes that wait here before no more is fetched. */
  roomBytes: number
  /** There is something to start, or something ended. */
  onProgress(): void
  /** There is room again for one who waits for it. */
  onRoom(): void
  work: Pick<QueueWorkOptions<FetchedMessage>, 'batchSize' | 'laneOf' | 'handle' | 'afterFailure'>
}

/** One partition that this member has, with those of its messages that are on their way. */
export class HeldPartition implements Place {
  readonly topic: string
  readonly partition: number
  readonly #options: HeldPartitionOptions
  #work: QueueWork<FetchedMessage> | undefined
  #isPaused = false
  #isHeldBack = false
  /** What comes next is not in the log: nothing is fetched until it is known where to go on. */
  isAstray = false
  /** What the coordinator has, as far as this member knows. */
  committed: bigint | undefined
  /** Whether somebody would fetch, were there room. */
  awaitsRoom = false
  /** Asked for nothing before this time, by `performance.now()`. */
  restsUntil = 0
  /** Answers in a row that were refusals. */
  failures = 0

  constructor(options: HeldPartitionOptions) {
    this.topic = options.topic
    this.partition = options.partition
    this.#options = options
  }

  /** Of the first message that is not done; undefined while it is not known where to begin. */
  get position(): bigint | undefined {
    return this.#work?.position
  }

  /** Of the next message to fetch; likewise. */
  get end(): bigint | undefined {
    return this.#work?.end
  }

  get bytes(): number {
    return this.#work?.bytes ?? 0
  }

  get hasRoom(): boolean {
    const work = this.#work
    return (
      work !== undefined &&
      !this.isAstray &&
      work.end - work.position < WINDOW &&
      work.bytes < this.#options.roomBytes
    )
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused
    this.#applyPause()
  }

  /** Starts nothing for now, whether it is paused or not. */
  set isHeldBack(isHeldBack: boolean) {
    this.#isHeldBack = isHeldBack
    this.#applyPause()
  }

  startNext(): Promise<void> | undefined {
    return this.#work?.startNext()
  }

  /** Forgets what was fetched, begins or goes on there. */
  moveTo(offset: bigint): void {
    const { work } = this.#options
    this.drop()
    this.isAstray = false
    this.#work = new QueueWork({ ...work, start: offset, onProgress: () => this.#onProgress() })
    this.#applyPause()
  }

  /** Goes on there once what was fetched is done: there is nothing in between. */
  skipTo(offset: bigint): void {
    const { end } = this
    if (end === undefined || offset < end) this.moveTo(offset)
    else this.#work?.add([], offset)
    this.isAstray = false
  }

  /** @param at where the messages were asked for: they count only if it is still the next offset */
  take(at: bigint, messages: FetchedMessage[], end: bigint): void {
    if (this.#work?.end === at) this.#work.add(messages, end)
  }

  /** What is being handled counts for nothing any more. */
  drop(): void {
    this.#work?.drop()
    this.#work = undefined
  }

  async idle(): Promise<void> {
    await this.#work?.idle()
  }

  #onProgress(): void {
    this.#options.onProgress()
    if (!this.awaitsRoom || !this.hasRoom) return
    this.awaitsRoom = false
    this.#options.onRoom()
  }

  #applyPause(): void {
    if (this.#work) this.#work.isPaused = this.#isPaused || this.#isHeldBack
  }
}
