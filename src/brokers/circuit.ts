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
import { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'

/** So many outages in a row, without a success between them, open the circuit. */
const OUTAGES_IN_A_ROW = 5
/** Time until the first try whether the broker is back, milliseconds; doubled after each try in vain. */
const FIRST_TRY_MS = 5000
const LONGEST_PAUSE_MS = 60_000

/**
 * Keeps messages from a broker that is out of reach: after several outages in a row they are refused at once, so that
 * their jobs are held instead of using up retries, and one message at a time tries whether the broker is back.
 */
export class Circuit {
  readonly #policy: CircuitBreakerPolicy

  /** @param isOutage tells errors that speak of the broker from those that speak of the message. */
  constructor(isOutage: (error: unknown) => boolean, log: Log) {
    this.#policy = circuitBreaker(handleWhen(isOutage), {
      breaker: new ConsecutiveBreaker(OUTAGES_IN_A_ROW),
      halfOpenAfter: new ExponentialBackoff({
        generator: noJitterGenerator,
        initialDelay: FIRST_TRY_MS,
        maxDelay: LONGEST_PAUSE_MS,
      }),
    })
    this.#policy.onBreak(() => log.error('a broker is out of reach; its jobs are held'))
    this.#policy.onReset(() => log.info('a broker is back; its jobs go on'))
  }

  /**
   * Without this, those who come while one message tries would wait for its end in their caller's slots.
   * @throws RelayError ADAPTER_OUT_OF_SERVICE
   */
  assertNotTrying(): void {
    if (this.#policy.state === CircuitState.HalfOpen) throw outOfService()
  }

  /** @throws RelayError ADAPTER_OUT_OF_SERVICE while the circuit is open; else what `work` throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#policy.execute(work)
    } catch (error) {
      throw error instanceof BrokenCircuitError ? outOfService(error) : error
    }
  }
}

function outOfService(cause?: Error): RelayError {
  return new RelayError(
    'ADAPTER_OUT_OF_SERVICE',
    `the broker could not be reached ${OUTAGES_IN_A_ROW} times in a row; the job waits until it answers again`,
    { cause },
  )
}
