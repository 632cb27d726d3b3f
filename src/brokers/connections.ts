import { createHash } from 'node:crypto'
import { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { BrokerConnection, ConnectionContext, OutboundMessage, Receipt } from './broker.js'
import { Circuit, type CircuitReport } from './circuit.js'
import { RateLimit } from './rate-limit.js'

/** A connection shared by everything with the same resolved settings. */
export interface LiveConnection {
  readonly hash: string
  readonly publishBudgetMs: number
  publish(message: OutboundMessage): Promise<Receipt>
  check(): Promise<void>
}

export interface ConnectionLoad {
  /** Sends without an answer yet. */
  inFlight: number
  /** Messages that wait for their turn under a rate limit. */
  waiting: number
}

/** A connection with sends out and no answer for this long counts as unanswering. */
const UNANSWERED_MS = 1000

/**
 * One live connection per hash of the resolved settings, so that a changed address, credential or environment
 * variable takes effect with the next message, and what did not change stays connected.
 */
export class Connections {
  readonly #live = new Map<string, TrackedConnection>()
  readonly #log: Log
  /** Hash of the settings of each adapter that may be used. */
  #inUse: ReadonlyMap<string, string> = new Map()

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * The live connection under a hash, opened if there is none.
   * @param adapter name of the first that needs it, for messages to people
   */
  get(hash: string, adapter: string, open: (context: ConnectionContext) => BrokerConnection): LiveConnection {
    let tracked = this.#live.get(hash)
    if (!tracked) {
      const log = this.#log.child({ adapter })
      tracked = new TrackedConnection(hash, open({ adapter, log }), log)
      this.#live.set(hash, tracked)
    }
    return tracked
  }

  /**
   * Closes connections whose settings nothing refers to any more, once their sends in flight have ended.
   * @param inUse name of each adapter that may be used, with the hash of its settings
   */
  retain(inUse: ReadonlyMap<string, string>): void {
    this.#inUse = inUse
    const hashes = new Set(inUse.values())
    for (const [hash, connection] of this.#live) {
      if (hashes.has(hash)) continue
      this.#live.delete(hash)
      void connection
        .close()
        .catch((error: unknown) => this.#log.warn('closing a connection failed', { error: String(error) }))
    }
  }

  /**
   * Jobs that wait on unanswering brokers beyond `share` each. They are not given back, as their sends may have
   * arrived, but need not keep slots from other adapters.
   */
  overShare(share: number): number {
    let over = 0
    for (const connection of this.#live.values()) {
      if (connection.unanswering()) over += Math.max(0, connection.inFlight - share)
    }
    return over
  }

  /** The circuit of each adapter in use that is connected or has tried to, by the adapter's name. */
  circuits(): Map<string, CircuitReport> {
    const reports = new Map<string, CircuitReport>()
    for (const [adapter, hash] of this.#inUse) {
      const connection = this.#live.get(hash)
      if (connection) reports.set(adapter, connection.circuit.report())
    }
    return reports
  }

  /** What each adapter in use that is connected or has tried to has in hand, by the adapter's name. */
  loads(): Map<string, ConnectionLoad> {
    const loads = new Map<string, ConnectionLoad>()
    for (const [adapter, hash] of this.#inUse) {
      const connection = this.#live.get(hash)
      if (!connection) continue
      loads.set(adapter, { inFlight: connection.inFlight, waiting: connection.rateLimit?.waiting ?? 0 })
    }
    return loads
  }

  /** Whether no adapter in use would take a message now, so that all jobs could only be given back. */
  allRefuse(share: number): boolean {
    const connections = [...this.#inUse.values()].map((hash) => this.#live.get(hash))
    return connections.length > 0 && connections.every((connection) => connection?.refuses(share) ?? false)
  }

  /**
   * Resolves when one more message may be published; undefined: it may at once, as always without a rate limit.
   * @param share sends of one connection that may wait for an answer or for their turn
   * @param patienceMs longest wait for a turn; default: that of a job
   * @throws RelayError ADAPTER_OUT_OF_SERVICE while another message tries whether the broker is back;
   *   ADAPTER_UNANSWERING when the broker leaves sends unanswered and `share` of them are out;
   *   ADAPTER_RATE_LIMITED when its turn is far, or `share` others wait for theirs
   */
  admit(hash: string, share: number, patienceMs?: number): Promise<void> | undefined {
    const connection = this.#live.get(hash)
    if (!connection) return undefined
    connection.circuit.assertNotTrying()
    if (connection.isOverrun(share)) {
      throw new RelayError(
        'ADAPTER_UNANSWERING',
        `the broker has left ${connection.inFlight} sends unanswered for over a second; the job waits`,
      )
    }
    return connection.rateLimit?.turn(share, patienceMs)
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#live.values()].map((connection) => connection.close()))
    this.#live.clear()
  }
}

class TrackedConnection implements LiveConnection {
  readonly hash: string
  readonly rateLimit: RateLimit | undefined
  readonly circuit: Circuit
  readonly #connection: BrokerConnection
  /**
   * By number of the send; the first entry is the oldest without an answer. No messages, as a table that grows, or is tidied
   * up, leaves the one before it behind, and all that this refers to until the next full collection.
   */
  readonly #startedAt = new Map<number, number>()
  #sends = 0
  #lastAnswerAt = 0

  constructor(hash: string, connection: BrokerConnection, log: Log) {
    this.hash = hash
    this.circuit = new Circuit(isSilence, log)
    this.#connection = connection
    const { maxMessagesPerSecond } = connection
    this.rateLimit = maxMessagesPerSecond === undefined ? undefined : new RateLimit(maxMessagesPerSecond)
  }

  get publishBudgetMs(): number {
    return this.#connection.publishBudgetMs
  }

  get inFlight(): number {
    return this.#startedAt.size
  }

  unanswering(): boolean {
    const oldest = this.#startedAt.values().next()
    return !oldest.done && performance.now() - Math.max(oldest.value, this.#lastAnswerAt) > UNANSWERED_MS
  }

  /** Whether the broker leaves sends unanswered and `share` of them are out. */
  isOverrun(share: number): boolean {
    return this.inFlight >= share && this.unanswering()
  }

  refuses(share: number): boolean {
    return this.circuit.report().position !== 'closed' || this.isOverrun(share)
  }

  publish(message: OutboundMessage): Promise<Receipt> {
    return this.circuit.run(() => this.#publish(message))
  }

  async #publish(message: OutboundMessage): Promise<Receipt> {
    const send = this.#sends++
    this.#startedAt.set(send, performance.now())
    try {
      const receipt = await this.#connection.publish(message)
      this.#lastAnswerAt = performance.now()
      return receipt
    } catch (error) {
      if (!isSilence(error)) this.#lastAnswerAt = performance.now()
      throw error
    } finally {
      this.#startedAt.delete(send)
    }
  }

  check(): Promise<void> {
    return this.#connection.check()
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

/** Whether an error means that the broker said nothing, as opposed to a refusal. */
function isSilence(error: unknown): boolean {
  return (
    error instanceof RelayError && (error.code === 'BROKER_TIMEOUT' || error.code === 'BROKER_UNREACHABLE')
  )
}

/** What connections are told apart by. */
export function settingsHash(kind: string, address: string, settings: Record<string, unknown>): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, address, sorted(settings)]))
    .digest('base64url')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  )
}
