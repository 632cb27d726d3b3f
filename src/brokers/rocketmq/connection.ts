import { RelayError, toRelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { pause, withTimeLimit } from '../../core/time-limit.js'
import type { BrokerConnection, ConnectionContext, OutboundMessage, Receipt } from '../broker.js'
import { type CheckedMessage, checkMessage } from './message.js'
import { messageIds } from './message-id.js'
import { Routes } from './routes.js'
import type { RocketmqSettings } from './settings.js'
import type { Queue, Route, Stored, Wire } from './wire.js'

const RETRY_PAUSE_MS = 100
/** An attempt with less time than this could only leave a message behind whose answer nobody awaits. */
const SHORTEST_ATTEMPT_MS = 50
/** What timers and a busy event loop may add to the time limits. */
const SLACK_MS = 500

/** Both protocols alike: picks queues, keeps message groups in order, repeats what failed for a passing reason. */
export class RocketmqConnection<Q extends Queue> implements BrokerConnection {
  readonly publishBudgetMs: number
  readonly maxMessagesPerSecond: number | undefined
  readonly #wire: Wire<Q>
  readonly #settings: RocketmqSettings
  readonly #log: Log
  readonly #routes: Routes<Q>
  readonly #newId = messageIds()
  readonly #inFlight = new Set<Promise<unknown>>()
  /** The last message of each group that is waiting or in flight. */
  readonly #lanes = new Map<string, Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(wire: Wire<Q>, settings: RocketmqSettings, context: ConnectionContext) {
    this.#wire = wire
    this.#settings = settings
    this.#log = context.log
    this.#routes = new Routes((topic) => wire.route(topic, settings.connectTimeoutMs), context.log)
    this.publishBudgetMs = this.#timeLimitMs + SLACK_MS
    this.maxMessagesPerSecond = settings.maxMessagesPerSecond
  }

  async publish(message: OutboundMessage): Promise<Receipt> {
    this.#refuseIfClosed()
    const checked = checkMessage(message, this.#newId(), this.#settings)
    const deadline = performance.now() + this.#timeLimitMs
    return this.#tracked(
      checked.messageGroup === undefined
        ? this.#deliver(checked, deadline)
        : this.#inTurn(`${checked.topic} ${checked.messageGroup}`, () => this.#deliver(checked, deadline)),
    )
  }

  async check(): Promise<void> {
    this.#refuseIfClosed()
    await this.#tracked(this.#wire.check(this.#settings.connectTimeoutMs))
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    await Promise.allSettled(this.#inFlight)
    await this.#routes.settled()
    await this.#wire.close()
  }

  get #timeLimitMs(): number {
    const { connectTimeoutMs, sendTimeoutMs, retries } = this.#settings
    return connectTimeoutMs + (retries + 1) * sendTimeoutMs
  }

  async #deliver(message: CheckedMessage, deadline: number): Promise<Receipt> {
    let failed: { error: RelayError; broker?: string } | undefined
    for (let attempt = 0; attempt <= this.#settings.retries; attempt++) {
      if (attempt > 0) await pause(RETRY_PAUSE_MS * 2 ** (attempt - 1))
      if (deadline - performance.now() < SHORTEST_ATTEMPT_MS) break
      let queue: Q | undefined
      try {
        const route = this.#routes.known(message.topic) ?? (await this.#lookUp(message.topic, deadline))
        queue = this.#routes.pick(route, message.messageGroup, failed?.broker)
        const timeoutMs = Math.min(this.#settings.sendTimeoutMs, deadline - performance.now())
        return this.#receipt(message, await this.#wire.send(message, queue, timeoutMs))
      } catch (thrown) {
        const error = toRelayError(thrown)
        if (!mayPass(error)) throw error
        failed = { error, ...(queue && { broker: queue.broker }) }
        this.#routes.renew(message.topic)
        this.#log.debug('an attempt to send failed', { messageId: message.id, attempt, error: error.message })
      }
    }
    throw failed?.error ?? turnCameTooLate(message)
  }

  #lookUp(topic: string, deadline: number): Promise<Route<Q>> {
    return withTimeLimit(
      this.#routes.lookUp(topic),
      deadline - performance.now(),
      () => new RelayError('BROKER_TIMEOUT', `asking for the brokers of topic "${topic}" took too long`),
    )
  }

  /** Runs `work` after all earlier work of the lane, which the deadlines of publish end in the order they began. */
  #inTurn<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(lane) ?? Promise.resolve()
    const result = before.then(work)
    const settled = result.then(
      () => undefined,
      () => undefined,
    )
    this.#lanes.set(lane, settled)
    void settled.then(() => {
      if (this.#lanes.get(lane) === settled) this.#lanes.delete(lane)
    })
    return result
  }

  async #tracked<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work)
    try {
      return await work
    } finally {
      this.#inFlight.delete(work)
    }
  }

  #receipt(message: CheckedMessage, stored: Stored): Receipt {
    if (stored.warning) {
      this.#log.warn(`message stored, but ${stored.warning}`, { topic: message.topic, messageId: message.id })
    }
    const { queueId, queueOffset } = stored
    return { kind: 'rocketmq', topic: message.topic, messageId: message.id, queueId, queueOffset }
  }

  #refuseIfClosed(): void {
    if (this.#closing) throw new RelayError('WORKER_STOPPING', 'the connection to RocketMQ is closed')
  }
}

/** Wrong credentials count as transient for a job, as a person may set them right; within one publish they stay wrong. */
function mayPass(error: RelayError): boolean {
  return error.retryable && error.code !== 'AUTHENTICATION_FAILED'
}

function turnCameTooLate(message: CheckedMessage): RelayError {
  return new RelayError(
    'BROKER_TIMEOUT',
    `messages before this one of messageGroup "${message.messageGroup}" took all its time; it was not sent`,
  )
}
