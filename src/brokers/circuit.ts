import { messageOf, RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'

/** So many outages in a row, without a success between them, open the circuit. */
const OUTAGES_IN_A_ROW = 5
/** Time until the first try whether the broker is back, milliseconds; doubled after each try in vain. */
const FIRST_TRY_MS = 5000
const LONGEST_PAUSE_MS = 60_000

/** `half-open`: one message tries whether the broker is back. */
export const CIRCUIT_POSITIONS = ['closed', 'open', 'half-open'] as const
export type CircuitPosition = (typeof CIRCUIT_POSITIONS)[number]

export interface CircuitReport {
  position: CircuitPosition
  /** When it came into this position. */
  since: Date
}

/**
 * Keeps messages from a broker that is out of reach: after several outages in a row they are refused at once, so that
 * their jobs are held instead of using up retries, and one message at a time tries whether the broker is back.
 */
export class Circuit {
  readonly #isOutage: (error: unknown) => boolean
  readonly #log: Log
  #position: CircuitPosition = 'closed'
  #since = new Date()
  /** While it is closed: since the last success. */
  #outagesInARow = 0
  /** How often it has opened so far. */
  #openings = 0
  /** While it is open: time until the next try. */
  #pauseMs = FIRST_TRY_MS

  /** @param isOutage tells errors that speak of the broker from those that speak of the message. */
  constructor(isOutage: (error: unknown) => boolean, log: Log) {
    this.#isOutage = isOutage
    this.#log = log
  }

  report(): CircuitReport {
    return { position: this.#position, since: this.#since }
  }

  /**
   * Those who come while one message tries are sent away: waiting for its end would keep their caller's slots.
   * @throws RelayError ADAPTER_OUT_OF_SERVICE
   */
  assertNotTrying(): void {
    if (this.#position === 'half-open') throw outOfService()
  }

  /**
   * @throws RelayError ADAPTER_OUT_OF_SERVICE while the circuit is open, and for the message that tried in vain; else
   *   what `work` throws.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.assertNotTrying()
    const isTry = this.#position === 'open'
    if (isTry) this.#beginTry()
    const openings = this.#openings
    try {
      const result = await work()
      if (openings === this.#openings) this.#outagesInARow = 0
      if (isTry) this.#close()
      return result
    } catch (error) {
      // What was sent before the circuit opened says nothing of the broker now, and must not spoil a try.
      if (openings !== this.#openings) throw error
      const isOutage = this.#isOutage(error)
      if (isOutage) this.#outagesInARow += 1
      if (isTry && !isOutage) this.#close()
      else if (isTry || this.#outagesInARow >= OUTAGES_IN_A_ROW) this.#open()
      // In a long outage tries would use up the retries of few jobs.
      throw isTry && isOutage ? triedInVain(error) : error
    }
  }

  #beginTry(): void {
    if (Date.now() - this.#since.getTime() < this.#pauseMs) throw outOfService()
    this.#moveTo('half-open')
  }

  #open(): void {
    // Opened again by a try in vain, it is no news.
    const isNews = this.#position === 'closed'
    this.#pauseMs = isNews ? FIRST_TRY_MS : Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
    this.#openings += 1
    this.#moveTo('open')
    if (isNews) this.#log.error('a broker is out of reach; its jobs are held')
  }

  #close(): void {
    this.#outagesInARow = 0
    this.#moveTo('closed')
    this.#log.info('a broker is back; its jobs go on')
  }

  #moveTo(position: CircuitPosition): void {
    this.#position = position
    this.#since = new Date()
  }
}

function outOfService(): RelayError {
  return new RelayError(
    'ADAPTER_OUT_OF_SERVICE',
    `the broker could not be reached ${OUTAGES_IN_A_ROW} times in a row; the job waits until it answers again`,
  )
}

function triedInVain(cause: unknown): RelayError {
  return new RelayError(
    'ADAPTER_OUT_OF_SERVICE',
    `the broker is still out of reach, as this message tried; the job waits until it answers again: ${messageOf(cause)}`,
    { cause },
  )
}
