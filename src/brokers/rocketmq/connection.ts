import { type Batching, batching, type ItemResult } from '../../core/batching.js'
import { RelayError, toRelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { pause, withTimeLimit } from '../../core/time-limit.js'
import type { BrokerConnection, ConnectionContext, OutboundMessage, Receipt } from '../broker.js'
import { type CheckedMessage, checkMessage } from './message.js'
import { messageIds } from './message-id.js'
import { isTopicUnknown, Routes } from './routes.js'
import { type Sending, Sends } from './sends.js'
import type { RocketmqSettings } from './settings.js'
import type { Queue, Route, Stored, Wire } from './wire.js'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2000
/** Between two questions for a topic that may appear late. */
const LOOK_AGAIN_MS = 500
/** An attempt with less time than this could only leave a message behind whose answer nobody awaits. */
const SHORTEST_ATTEMPT_MS = 50
/** What timers and a busy event loop may add to the time limits. */
const SLACK_MS = 500
/** Of one message group in one send. */
const MOST_OF_A_GROUP = 100

interface Pending {
  message: CheckedMessage
  /** On the clock of performance.now(). */
  deadline: number
}

type Attempt = { receipts: Receipt[] } | Failure

interface Failure {
  error: RelayError
  /** Absent: it failed before there was one. */
  broker?: string
  /** Other messages were in the same send, so that they may be the ones at fault. */
  inCompany: boolean
}

/**
 * Both protocols alike: picks queues, joins what is ready at the same moment, keeps message groups in order, repeats
 * what failed for a passing reason. A send that failed falls apart: its messages go again each on its own.
 */
export class RocketmqConnection<Q extends Queue> implements BrokerConnection {
  readonly publishBudgetMs: number
  readonly maxMessagesPerSecond: number | undefined
  readonly #wire: Wire<Q>
  readonly #settings: RocketmqSettings
  readonly #log: Log
  readonly #routes: Routes<Q>
  readonly #sends: Sends<Q>
  readonly #newId = messageIds()
  #inFlight = 0
  #onIdle = () => {}
  /** By topic and message group, those with messages waiting or in flight. */
  readonly #groups = new Map<string, Batching<Pending, Receipt>>()
  #closing: Promise<void> | undefined

  constructor(wire: Wire<Q>, settings: RocketmqSettings, context: ConnectionContext) {
    this.#wire = wire
    this.#settings = settings
    this.#log = context.log
    const ask = (topic: string) => wire.route(topic, settings.connectTimeoutMs)
    this.#routes = new Routes(ask, wire.topicLagMs, context.log)
    this.#sends = new Sends(wire, settings)
    this.maxMessagesPerSecond = settings.maxMessagesPerSecond
    this.publishBudgetMs = this.#timeLimitMs + SLACK_MS
  }

  async publish(message: OutboundMessage): Promise<Receipt> {
    this.#refuseIfClosed()
    const checked = checkMessage(message, this.#newId(), this.#settings)
    const pending = { message: checked, deadline: performance.now() + this.#timeLimitMs }
    this.#inFlight++
    try {
      return await (checked.messageGroup === undefined
        ? this.#deliver(pending)
        : this.#groupOf(`${checked.topic} ${checked.messageGroup}`).add(pending))
    } finally {
      this.#ended()
    }
  }

  async check(): Promise<void> {
    this.#refuseIfClosed()
    this.#inFlight++
    try {
      await this.#wire.check(this.#settings.connectTimeoutMs)
    } finally {
      this.#ended()
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    await this.#routes.settled()
    await this.#wire.close()
  }

  get #timeLimitMs(): number {
    const { connectTimeoutMs, sendTimeoutMs, retries } = this.#settings
    return connectTimeoutMs + (retries + 1) * sendTimeoutMs
  }

  /** @param first the attempt that has been made already, if any */
  async #deliver(pending: Pending, first?: Failure): Promise<Receipt> {
    let attempt: Attempt = first ?? (await this.#attempt([pending], false))
    if ('error' in attempt && attempt.inCompany && !mayPass(attempt.error)) {
      attempt = await this.#attempt([pending], true)
    }
    for (let again = 0; 'error' in attempt; again++) {
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** again, LONGEST_PAUSE_MS)
      const isLast = again === this.#settings.retries || !isTime(pending.deadline - pauseMs)
      if (isLast || !mayPass(attempt.error)) throw attempt.error
      await pause(pauseMs)
      attempt = await this.#attempt([pending], true, attempt.broker)
    }
    return head(attempt.receipts)
  }

  /** What is ready of a message group, in its order: in one send at first, one by one after that failed. */
  async #deliverGroup(items: Pending[]): Promise<ItemResult<Receipt>[]> {
    let failure: Failure | undefined
    if (items.length > 1 && this.#areOfOneCompany(items)) {
      const attempt = await this.#attempt(items, false)
      if ('receipts' in attempt) return attempt.receipts.map((value) => ({ ok: true, value }))
      failure = { ...attempt, inCompany: true }
    }
    const results: ItemResult<Receipt>[] = []
    for (const item of items) {
      results.push(
        await this.#deliver(item, failure).then(
          (value) => ({ ok: true, value }),
          (error: unknown) => ({ ok: false, error }),
        ),
      )
      failure = undefined
    }
    return results
  }

  #areOfOneCompany(items: Pending[]): boolean {
    const companies = new Set(items.map(({ message }) => this.#wire.company(message, undefined)))
    return companies.size === 1 && !companies.has(undefined)
  }

  /** @param isAlone in a send of its own, if possible not to the broker `avoid` */
  async #attempt(items: Pending[], isAlone: boolean, avoid?: string): Promise<Attempt> {
    const { message, deadline } = head(items)
    if (!isTime(deadline)) return { error: turnCameTooLate(message), inCompany: false }
    let sending: Sending<Q> | undefined
    try {
      const route = this.#routes.known(message.topic) ?? (await this.#lookUp(message.topic, deadline))
      sending = this.#send(items, route, isAlone, avoid)
      const stored = await sending.stored
      const { from } = sending
      return { receipts: items.map((item, index) => this.#receipt(item.message, stored[from + index])) }
    } catch (thrown) {
      const error = toRelayError(thrown)
      if (mayPass(error)) this.#routes.renew(message.topic)
      this.#log.debug('an attempt to send failed', { messageId: message.id, error: error.message })
      return {
        error,
        ...(sending && { broker: sending.queue.broker }),
        inCompany: sending !== undefined && sending.messages.length > items.length,
      }
    }
  }

  #send(items: Pending[], route: Route<Q>, isAlone: boolean, avoid: string | undefined): Sending<Q> {
    const { message, deadline } = head(items)
    const messages = items.map((item) => item.message)
    const pick = () => this.#routes.pick(route, message.messageGroup, avoid)
    const queue = message.messageGroup === undefined ? undefined : pick()
    const timeoutMs = deadline - performance.now()
    const mayJoin = !isAlone && timeoutMs >= this.#settings.sendTimeoutMs
    const company = mayJoin ? this.#wire.company(message, queue) : undefined
    if (company === undefined) return this.#sends.alone(messages, queue ?? pick(), timeoutMs)
    return this.#sends.join(`${message.topic} ${company}`, messages, () => queue ?? pick())
  }

  /** Waits for the route of a topic that its servers have not heard of yet. */
  async #lookUp(topic: string, deadline: number): Promise<Route<Q>> {
    for (;;) {
      try {
        return await withTimeLimit(
          this.#routes.lookUp(topic),
          deadline - performance.now(),
          () => new RelayError('BROKER_TIMEOUT', `asking for the brokers of topic "${topic}" took too long`),
        )
      } catch (error) {
        const mayWait = isTopicUnknown(error) && this.#routes.mayAppear(topic)
        if (!mayWait || !isTime(deadline - LOOK_AGAIN_MS)) throw error
        await pause(LOOK_AGAIN_MS)
      }
    }
  }

  #groupOf(key: string): Batching<Pending, Receipt> {
    const known = this.#groups.get(key)
    if (known) return known
    const group = batching<Pending, Receipt>(MOST_OF_A_GROUP, async (items) => {
      const results = await this.#deliverGroup(items)
      // Nothing of it is in flight here: the next message may open it anew.
      if (group.waiting === 0) this.#groups.delete(key)
      return results
    })
    this.#groups.set(key, group)
    return group
  }

  #ended(): void {
    this.#inFlight--
    if (this.#inFlight === 0) this.#onIdle()
  }

  #receipt(message: CheckedMessage, stored: Stored | undefined): Receipt {
    if (!stored) throw new RelayError('INTERNAL', "an answer leaves out one of a send's messages")
    if (stored.warning && this.#settings.onUnsafeStore === 'fail') {
      throw new RelayError(
        'BROKER_UNAVAILABLE',
        `the message is stored, but ${stored.warning}, and setting onUnsafeStore is fail`,
      )
    }
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

function isTime(deadline: number): boolean {
  return deadline - performance.now() >= SHORTEST_ATTEMPT_MS
}

function head<T>(items: readonly T[]): T {
  const [first] = items
  if (first === undefined) throw new RelayError('INTERNAL', 'nothing to send')
  return first
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
