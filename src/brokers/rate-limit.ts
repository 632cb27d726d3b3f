import { RelayError } from '../core/errors.js'
import { pause } from '../core/time-limit.js'

/** Longest wait of a job for its turn; one that would wait longer is sent away, and keeps no place from others. */
const JOB_PATIENCE_MS = 1000
/** Timers are no finer: who is due this soon goes at once. */
const TIMER_MS = 1

/** Hands out turns at an even pace. Nothing is dropped: who cannot wait is told when to come back. */
export class RateLimit {
  readonly #perSecond: number
  readonly #paceMs: number
  /** `performance.now()` of the next turn that is free. */
  #nextTurn = 0
  /** The same for those sent away: at the pace of the limit, so that they come as turns become free. */
  #nextReturn = 0
  #waiting = 0
  /** Resolves with the turn given out last. */
  #last: Promise<void> = Promise.resolve()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    this.#paceMs = 1000 / perSecond
  }

  /** Callers that wait for their turn now. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Resolves when the caller's turn has come.
   * @param places callers that may wait at the same time
   * @param patienceMs longest wait
   * @throws RelayError ADAPTER_RATE_LIMITED with the time to come back
   */
  async turn(places: number, patienceMs = JOB_PATIENCE_MS): Promise<void> {
    const now = performance.now()
    const turn = Math.max(now, this.#nextTurn)
    const waitMs = turn - now
    if (waitMs > patienceMs || (waitMs > TIMER_MS && this.#waiting >= places)) throw this.#refusal(now)
    this.#nextTurn = turn + this.#paceMs
    if (waitMs <= TIMER_MS && this.#waiting === 0) return
    this.#waiting++
    // One timer after the other: of several that are due together, the later may fire first.
    this.#last = this.#last.then(() => pause(turn - performance.now()))
    await this.#last
    this.#waiting--
  }

  #refusal(now: number): RelayError {
    this.#nextReturn = Math.max(this.#nextReturn, this.#nextTurn, now) + this.#paceMs
    return new RelayError(
      'ADAPTER_RATE_LIMITED',
      `the adapter publishes at most ${this.#perSecond} messages a second (maxMessagesPerSecond); the job waits for its turn`,
      { retryAfterMs: Math.ceil(this.#nextReturn - now) },
    )
  }
}
