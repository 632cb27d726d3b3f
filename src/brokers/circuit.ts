import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  noJitterGenerator,
} from 'cockatiel'
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
  readonly #policy: CircuitBreakerPolicy
  readonly #isOutage: (error: unknown) => boolean
  #since = new Date()
  /** How often it has opened so far. */
  #openings = 0

  /** @param isOutage tells errors that speak of the broker from those that speak of the message. */
  constructor(isOutage: (error: unknown) => boolean, log: Log) {
    this.#isOutage = isOutage
    this.#policy = circuitBreaker(handleWhen(isOutage), {
      breaker: new ConsecutiveBreaker(OUTAGES_IN_A_ROW),
      halfOpenAfter: new ExponentialBackoff({
        generator: noJitterGenerator,
        initialDelay: FIRST_TRY_MS,
        maxDelay: LONGEST_PAUSE_MS,
      }),
    })
    // Opened again by a try in vain, it is no news.
    let isOut = false
    this.#policy.onStateChange(() => {
      this.#since = new Date()
    })
    this.#policy.onBreak(() => {
      this.#openings += 1
      if (!isOut) log.error('a broker is out of reach; its jobs are held')
      isOut = true
    })
    this.#policy.onReset(() => {
      isOut = false
      log.info('a broker is back; its jobs go on')
    })
  }

  report(): CircuitReport {
    return { position: POSITIONS[this.#policy.state], since: this.#since }
  }

  /**
   * Those who come while one message tries are sent away: waiting for its end would keep their caller's slots.
   * @throws RelayError ADAPTER_OUT_OF_SERVICE
   */
  assertNotTrying(): void {
    if (this.#policy.state === CircuitState.HalfOpen) throw outOfService()
  }

  /**
   * @throws RelayError ADAPTER_OUT_OF_SERVICE while the circuit is open, and for the message that tried in vain; else
   *   what `work` throws.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.assertNotTrying()
    const isTry = this.#policy.state === CircuitState.Open
    const openings = this.#openings
    try {
      return await this.#policy.execute(() =>
        work().catch((error: unknown) => {
          // What was sent before the circuit opened says nothing of the broker now, and must not spoil a try.
          throw openings === this.#openings ? error : new Overtaken(error)
        }),
      )
    } catch (error) {
      if (error instanceof Overtaken) throw error.reason
      if (error instanceof BrokenCircuitError) throw outOfService(error)
      // In a long outage tries would use up the retries of few jobs.
      throw isTry && this.#isOutage(error) ? triedInVain(error) : error
    }
  }
}

const POSITIONS: Record<CircuitState, CircuitPosition> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  // The library's word for opened by hand.
  [CircuitState.Isolated]: 'open',
}

/** The end of a send that began before the circuit last opened. */
class Overtaken {
  readonly reason: unknown

  constructor(reason: unknown) {
    this.reason = reason
  }
}

function outOfService(cause?: Error): RelayError {
  return new RelayError(
    'ADAPTER_OUT_OF_SERVICE',
    `the broker could not be reached ${OUTAGES_IN_A_ROW} times in a row; the job waits until it answers again`,
    { cause },
  )
}

function triedInVain(cause: unknown): RelayError {
  return new RelayError(
    'ADAPTER_OUT_OF_SERVICE',
    `the broker is still out of reach, as this message tried; the job waits until it answers again: ${messageOf(cause)}`,
    { cause },
  )
}
