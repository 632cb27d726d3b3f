import { ERRORS, type ErrorCode, messageOf, RelayError, toRelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { pause } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import type { Engine } from '../engine/engine.js'

const FIRST_BACK_OFF_MS = 50
const LONGEST_BACK_OFF_MS = 5000
const PROBE_FIRST_MS = 200

/** What says that a server cannot be used just now, whatever the message. */
const SERVER_AWAY: ReadonlySet<ErrorCode> = new Set([
  'ENGINE_UNREACHABLE',
  'BROKER_UNREACHABLE',
  'BROKER_TIMEOUT',
  'BROKER_UNAVAILABLE',
  'AUTHENTICATION_FAILED',
  'SCHEMA_REGISTRY_UNREACHABLE',
])

/** What says that an adapter cannot be used as it is set up, here or at all: every message would fail for it. */
const UNUSABLE_ADAPTER: ReadonlySet<ErrorCode> = new Set([
  'ENV_UNKNOWN',
  'MASTER_KEY_MISSING',
  'SETTINGS_INVALID',
])

/** Whether an error is no fault of the message, so that it costs no attempt. */
export function isOutage({ code }: RelayError): boolean {
  return SERVER_AWAY.has(code) || UNUSABLE_ADAPTER.has(code) || ERRORS[code].outcome === 'held'
}

/** Whether so much is away that taking more messages would only let more of them wait. */
export function stopsConsumption(error: RelayError): boolean {
  return error.code !== 'ENGINE_BUSY' && error.code !== 'ADAPTER_RATE_LIMITED'
}

/** How a delivery is to be handled. */
export interface Handling {
  /** Aborted: what waits for a server that is away waits no more, and is left to its redelivery. */
  signal: AbortSignal
  /** Told whenever the message begins to wait for what is away; calls what it gave once it waits no more. */
  onHold?: ((error: RelayError) => () => void) | undefined
}

/** Where messages wait for servers that are away. Of engine and Postgres one asks for all whether they are back. */
export class Outages {
  readonly #probes: Partial<Record<ErrorCode, () => Promise<unknown>>>
  readonly #probing = new Map<ErrorCode, Promise<void>>()
  readonly #log: Log
  readonly #closing = new AbortController()

  constructor(given: { engine: Pick<Engine, 'check'>; database: Pick<Database, 'query'>; log: Log }) {
    const { engine, database, log } = given
    this.#log = log
    this.#probes = {
      ENGINE_UNREACHABLE: () => engine.check(),
      DATABASE_AWAY: () => database.query('SELECT 1', [], 'ping'),
    }
  }

  /**
   * Does some work again and again for as long as what it needs is away.
   * @param work told whether it was tried before
   * @param onFirst told when the waiting begins
   * @throws RelayError why it failed otherwise; WORKER_STOPPING once the signal is aborted
   */
  async patiently<T>(
    work: (isAgain: boolean) => Promise<T>,
    { signal, onHold }: Handling,
    onFirst: () => void,
  ): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await work(tries > 0)
      } catch (thrown) {
        const error = toRelayError(thrown)
        if (!isOutage(error)) throw error
        if (tries === 0) onFirst()
        const release = onHold?.(error)
        try {
          await this.#over(error, tries, signal)
        } finally {
          release?.()
        }
      }
    }
  }

  close(): void {
    this.#closing.abort()
  }

  /** Resolves when it is worth trying again. */
  async #over(error: RelayError, tries: number, signal: AbortSignal): Promise<void> {
    const backOff = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(tries, 10))
    await pause((error.retryAfterMs ?? backOff) * (0.5 + Math.random() / 2), signal)
    const probe = this.#probes[error.code]
    if (probe && !signal.aborted) await untilAborted(this.#back(error, probe), signal)
    if (signal.aborted) throw new RelayError('WORKER_STOPPING', 'the message is left for its redelivery')
  }

  #back(error: RelayError, probe: () => Promise<unknown>): Promise<void> {
    const known = this.#probing.get(error.code)
    if (known) return known
    const probing = this.#probe(error, probe).finally(() => this.#probing.delete(error.code))
    this.#probing.set(error.code, probing)
    return probing
  }

  async #probe(error: RelayError, probe: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#closing
    let backOff = PROBE_FIRST_MS
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        await probe()
        if (!isFirst) this.#log.info('consuming goes on', { code: error.code })
        return
      } catch (reason) {
        if (isFirst) this.#log.warn('consuming waits', { code: error.code, reason: messageOf(reason) })
        await pause(backOff, signal)
        backOff = Math.min(2 * backOff, LONGEST_BACK_OFF_MS)
      }
    }
  }
}

async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop = () => {}
  const aborted = new Promise<void>((resolve) => {
    stop = resolve
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
