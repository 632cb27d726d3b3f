import { endsWithin } from '../core/time-limit.js'
import { CLOSE_BUDGET_MS } from './subscription.js'

/** What the messages of a queue need to be worked off. */
export interface Queued {
  offset: bigint
  /** Bytes it takes in memory. */
  size: number
  /** 1 at first; grows with each repetition from here. */
  attempt: number
}

export interface QueueWorkOptions<M extends Queued> {
  /** Of the first message to come. */
  start: bigint
  batchSize: number
  /** Messages of one lane are handled one after the other; undefined: this one keeps no order. */
  laneOf(message: M): string | undefined
  /** @param isGivenUp aborted once the queue is dropped: however it ends then, it counts for nothing */
  handle(batch: M[], isGivenUp: AbortSignal): Promise<void>
  /**
   * A message whose handler rejected. Resolves to undefined once somebody else has charge of it, otherwise to the
   * milliseconds after which it is handled again. Must not reject.
   */
  afterFailure(message: M, error: unknown): Promise<number | undefined>
  /** There is room again, or a message that waited may go. */
  onProgress(): void
}

interface Entry<M> {
  offset: bigint
  size: number
  /** Undefined once it is done. */
  message: M | undefined
}

interface Lane<M> {
  /** Undefined: of those that keep no order. */
  name: string | undefined
  waiting: Entry<M>[]
  /** One of its batches is being handled, or waits to be repeated. */
  busy: boolean
}

/**
 * The messages of one queue on their way through the handler: in lanes that keep their order, side by side otherwise.
 * Its position never passes a message that is not done.
 */
export class QueueWork<M extends Queued> {
  readonly #options: QueueWorkOptions<M>
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Those that keep an order, by name. */
  readonly #lanes = new Map<string, Lane<M>>()
  /** Never busy. */
  readonly #unordered: Lane<M> = { name: undefined, waiting: [], busy: false }
  /** Lanes with an order that may start, the longest ready first: to look through all costs more the more are in hand. */
  #ready: Lane<M>[] = []
  #entries: Entry<M>[] = []
  /** Entries before this one are done. */
  #head = 0
  #end: bigint
  #bytes = 0
  #running = 0
  #idleWaiters: (() => void)[] = []
  readonly #dropping = new AbortController()
  isPaused = false

  constructor(options: QueueWorkOptions<M>) {
    this.#options = options
    this.#end = options.start
  }

  /** Of the first message that is not done: what may be committed. */
  get position(): bigint {
    return this.#entries[this.#head]?.offset ?? this.#end
  }

  get #dropped(): boolean {
    return this.#dropping.signal.aborted
  }

  /** Offset behind all that came. */
  get end(): bigint {
    return this.#end
  }

  /** Bytes of the messages that are not done. */
  get bytes(): number {
    return this.#bytes
  }

  /** @param end offset behind the last message; more than that where the queue holds others that nobody wants. */
  add(messages: M[], end: bigint): void {
    for (const message of messages) {
      const { offset, size } = message
      const entry = { offset, size, message }
      this.#entries.push(entry)
      this.#bytes += size
      const lane = this.#laneFor(message)
      lane.waiting.push(entry)
      if (lane.waiting.length === 1 && !lane.busy) this.#makeReady(lane)
    }
    this.#end = end
  }

  /** Starts to handle one batch, if one may go; resolves when that has ended, one way or the other. Never rejects. */
  startNext(): Promise<void> | undefined {
    if (this.isPaused || this.#dropped) return undefined
    const lane = this.#nextLane()
    if (!lane) return undefined
    const batch = lane.waiting.splice(0, this.#options.batchSize)
    lane.busy = lane !== this.#unordered
    return this.#run(lane, batch)
  }

  /** Resolves when nothing is being handled. */
  async idle(): Promise<void> {
    if (this.#running === 0) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Forgets everything; what is being handled counts for nothing any more. */
  drop(): void {
    this.#dropping.abort()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#lanes.clear()
    this.#ready = []
    this.#unordered.waiting = []
    this.#entries = []
    this.#bytes = 0
  }

  async #run(lane: Lane<M>, batch: Entry<M>[]): Promise<void> {
    const { handle, onProgress } = this.#options
    const messages: M[] = []
    for (const { message } of batch) if (message !== undefined) messages.push(message)
    this.#running++
    try {
      await handle(messages, this.#dropping.signal)
      for (const entry of batch) this.#finish(entry)
      this.#free(lane)
    } catch (error) {
      await this.#afterFailure(lane, batch, error)
    }
    this.#running--
    if (this.#running === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve()
    onProgress()
  }

  async #afterFailure(lane: Lane<M>, batch: Entry<M>[], error: unknown): Promise<void> {
    const again: Entry<M>[] = []
    let delayMs = 0
    for (const entry of batch) {
      if (entry.message === undefined || this.#dropped) continue
      const wait = await this.#options.afterFailure(entry.message, error)
      if (wait === undefined) {
        this.#finish(entry)
        continue
      }
      entry.message = { ...entry.message, attempt: entry.message.attempt + 1 }
      again.push(entry)
      delayMs = Math.max(delayMs, wait)
    }
    if (again.length > 0 && !this.#dropped) this.#repeat(lane, again, delayMs)
    else this.#free(lane)
  }

  #repeat(lane: Lane<M>, batch: Entry<M>[], delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      lane.waiting.unshift(...batch)
      this.#free(lane)
      this.#options.onProgress()
    }, delayMs)
    this.#timers.add(timer)
  }

  #finish(entry: Entry<M>): void {
    if (entry.message === undefined || this.#dropped) return
    entry.message = undefined
    this.#bytes -= entry.size
    while (this.#head < this.#entries.length && this.#entries[this.#head]?.message === undefined) this.#head++
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  #laneFor(message: M): Lane<M> {
    const name = this.#options.laneOf(message)
    if (name === undefined) return this.#unordered
    let lane = this.#lanes.get(name)
    if (!lane) {
      lane = { name, waiting: [], busy: false }
      this.#lanes.set(name, lane)
    }
    return lane
  }

  #makeReady(lane: Lane<M>): void {
    if (lane !== this.#unordered) this.#ready.push(lane)
  }

  /** None of its batches is being handled any more. */
  #free(lane: Lane<M>): void {
    lane.busy = false
    if (this.#dropped || lane.name === undefined) return
    if (lane.waiting.length > 0) this.#makeReady(lane)
    else this.#lanes.delete(lane.name)
  }

  #nextLane(): Lane<M> | undefined {
    return this.#unordered.waiting.length > 0 ? this.#unordered : this.#ready.shift()
  }
}

/** Shares a number of handlers among queues, each in its turn. */
export class Dispatcher {
  readonly #concurrency: number
  #queues: Startable[] = []
  #turn = 0
  #running = 0
  #stopped = false
  #isPaused = false
  #idleWaiters: (() => void)[] = []

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Handlers under way, those of queues given up included. */
  get running(): number {
    return this.#running
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused
    this.dispatch()
  }

  add(queue: Startable): void {
    this.#queues.push(queue)
  }

  remove(queue: Startable): void {
    this.#queues = this.#queues.filter((other) => other !== queue)
  }

  /** Starts what may go. To be called whenever something came, ended, or may go again. */
  dispatch(): void {
    for (let inVain = 0; inVain < this.#queues.length; ) {
      if (this.#stopped || this.#isPaused || this.#running >= this.#concurrency) return
      const run = this.#queues[this.#turn++ % this.#queues.length]?.startNext()
      inVain = run ? 0 : inVain + 1
      if (!run) continue
      this.#running++
      void run.then(this.#ended)
    }
  }

  /** Starts nothing any more. Resolves when nothing runs any more, after `CLOSE_BUDGET_MS` in any case. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#running === 0) return
    const idle = new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
    await endsWithin(idle, CLOSE_BUDGET_MS)
  }

  readonly #ended = (): void => {
    this.#running--
    if (this.#running === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve()
    this.dispatch()
  }
}

interface Startable {
  /** See `QueueWork.startNext`. */
  startNext(): Promise<void> | undefined
}
