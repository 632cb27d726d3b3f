import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin, pause } from '../core/time-limit.js'
import type { Job, JobWorker, WorkOptions } from './engine.js'

/** A quiet task type asks for no more, so that it reserves little of the shared budget. */
const QUIET_ASK = 8
/** Under load jobs come in one by one; polls a little apart bring them in batches instead of one command each. */
const POLL_SPACING_MS = 10
/** Pause between two polls while jobs only trickle. */
const TRICKLE_MS = 1000
/** How often a full worker looks whether `extraSlots` has grown, and how long it waits for slots to ask for together. */
const FULL_CHECK_MS = 100
/** A busy engine refuses single polls as a matter of course; as many in a row are worth a line in the log. */
const FAILURES_TO_TELL = 3
const BUSY_BACK_OFF_MS = 25
const FIRST_BACK_OFF_MS = 50
const LONGEST_BACK_OFF_MS = 5000

export interface PollerOptions extends WorkOptions {
  /**
   * One long poll: calls `onJobs` as jobs arrive and resolves when it is over. All jobs handed to the engine's client
   * must come through `onJobs`, however late.
   */
  poll: (type: string, maxJobs: number, onJobs: (jobs: Job[]) => void) => Promise<void>
  /** Gives a job back unchanged, for at once. */
  giveBack: (job: Job) => Promise<void>
  handle: (job: Job) => Promise<void>
  log: Log
}

/** Keeps one poll a task type open as long as slots are free, and ends without leaving a job behind. */
export class JobPoller implements JobWorker {
  readonly #options: PollerOptions
  readonly #stopping = new AbortController()
  readonly #loops: Promise<void>[]
  readonly #lastPollAt = new Map<string, number>()
  readonly #givingBack = new Set<Promise<void>>()
  /** What a quiet type asks for; less where the budget is too small for all types. */
  readonly #quietAsk: number
  #inFlight = 0
  #reserved = 0
  #lastTurn: Promise<unknown> = Promise.resolve()
  #waiters: (() => void)[] = []

  constructor(options: PollerOptions) {
    this.#options = options
    // Idle types together keep half of a small budget at most: the rest stays free for those with jobs.
    this.#quietAsk = Math.max(
      1,
      Math.min(QUIET_ASK, Math.floor(options.maxInFlight / (2 * options.types.length))),
    )
    for (const type of options.types) this.#lastPollAt.set(type, Number.NEGATIVE_INFINITY)
    this.#loops = options.types.map((type) => this.#loop(type))
  }

  get inFlight(): number {
    return this.#inFlight
  }

  lastPollAgeMs(): number {
    return performance.now() - Math.min(...this.#lastPollAt.values())
  }

  async stop(graceMs: number): Promise<number> {
    this.#stopping.abort()
    this.#wake()
    await endsWithin(this.#ended(), graceMs)
    return this.#inFlight
  }

  async #ended(): Promise<void> {
    // Not cut off: jobs already on their way in a cut stream would wait out their job timeout.
    await Promise.all(this.#loops)
    await Promise.all(this.#givingBack)
    while (this.#inFlight > 0) await this.#slotFreed()
  }

  async #loop(type: string): Promise<void> {
    const { gate, trickle = () => false, poll, log } = this.#options
    const { signal } = this.#stopping
    let received = 0
    let failures = 0
    while (!signal.aborted) {
      await gate?.(signal)
      const trickles = trickle()
      const ask = await this.#reserve(trickles ? 1 : Math.max(this.#quietAsk, received * 2))
      if (ask === 0) return
      const startedAt = performance.now()
      let over = false
      let arrived = 0
      let restMs: number
      try {
        await poll(type, ask, (jobs) => {
          if (!over) {
            arrived += jobs.length
            this.#reserved -= jobs.length
          }
          for (const job of jobs) this.#take(job)
        })
        if (failures >= FAILURES_TO_TELL) log.info('polling the engine works again', { type })
        failures = 0
        received = arrived
        this.#lastPollAt.set(type, performance.now())
        restMs = (trickles ? TRICKLE_MS : POLL_SPACING_MS) - (performance.now() - startedAt)
      } catch (error) {
        failures += 1
        log[failures === FAILURES_TO_TELL ? 'warn' : 'debug']('polling the engine failed; trying again', {
          type,
          reason: messageOf(error),
        })
        // With jobs in hand a refusal is the engine's back-pressure, which passes as they are settled: waiting longer
        // would leave the worker empty-handed.
        restMs = this.#inFlight > 0 ? Math.min(BUSY_BACK_OFF_MS, backOffMs(failures)) : backOffMs(failures)
      } finally {
        over = true
        this.#reserved -= ask - arrived
        this.#wake()
      }
      await pause(restMs, signal)
    }
  }

  #take(job: Job): void {
    if (this.#stopping.signal.aborted) {
      const done = this.#options.giveBack(job).finally(() => this.#givingBack.delete(done))
      this.#givingBack.add(done)
      return
    }
    this.#inFlight += 1
    void this.#options
      .handle(job)
      .catch((error: unknown) =>
        this.#options.log.error('handling a job failed', { jobKey: job.key, reason: messageOf(error) }),
      )
      .finally(() => {
        this.#inFlight -= 1
        this.#wake()
      })
  }

  #free(): number {
    const { maxInFlight, extraSlots } = this.#options
    return maxInFlight + (extraSlots?.() ?? 0) - this.#inFlight - this.#reserved
  }

  /**
   * Reserves up to `wanted` slots as soon as enough are free; 0 when stopping. Types take turns in the order in which
   * they came: else one that is always at it would leave the others none.
   */
  #reserve(wanted: number): Promise<number> {
    const turn = this.#lastTurn.then(async () => {
      await this.#roomFor(this.#stopping.signal)
      const ask = this.#stopping.signal.aborted ? 0 : Math.min(this.#free(), wanted)
      this.#reserved += ask
      return ask
    })
    this.#lastTurn = turn
    return turn
  }

  /**
   * Waits until a quarter of the slots is free: asking for each freed slot by itself would cost a command a job. Where
   * slots free up slowly, some are enough after a while.
   */
  async #roomFor(signal: AbortSignal): Promise<void> {
    const quarter = Math.max(1, Math.floor(this.#options.maxInFlight / 4))
    if (this.#free() >= quarter) return
    let enough = quarter
    const patience = setInterval(() => {
      enough = Math.min(this.#quietAsk, quarter)
      this.#wake()
    }, FULL_CHECK_MS)
    while (!signal.aborted && this.#free() < enough) await this.#slotFreed()
    clearInterval(patience)
  }

  #slotFreed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}

/** Wait after `failures` failed polls in a row; `random` is from 0 to 1. */
export function backOffMs(failures: number, random: number = Math.random()): number {
  const longest = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (failures - 1))
  return Math.round(longest * (0.5 + random / 2))
}
