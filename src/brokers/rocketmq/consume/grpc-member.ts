import { setMaxListeners } from 'node:events'
import type { Endpoints, MessageQueue } from 'rocketmq-client-nodejs'
import { RelayError, toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { pause } from '../../../core/time-limit.js'
import { Bell } from '../../bell.js'
import type { ConnectionContext } from '../../broker.js'
import { Health } from '../../health.js'
import { Dispatcher, type Queued, QueueWork } from '../../queue-work.js'
import type {
  MessageHandler,
  QueueId,
  QueuePosition,
  Subscription,
  SubscriptionStatus,
} from '../../subscription.js'
import type { RocketmqSettings } from '../settings.js'
import { withNamespace } from '../settings.js'
import { type GroupSettings, GrpcRequests, type Subscribed } from './grpc-requests.js'
import { deadLetterTopic } from './inbound.js'
import { inboundFromProxy, type ReceivedMessage } from './received-message.js'
import type { CheckedSource } from './source.js'

/** As often as RocketMQ's own clients show that they are there. */
const JOIN_EVERY_MS = 10_000
const JOIN_AGAIN_MS = 1000
const LONGEST_PAUSE_MS = 5000
/** Before a message whose order must be kept is handled again. */
const SUSPEND_MS = 1000
const LONGEST_LOCAL_RETRY_MS = 30_000
/** Handed out again, as they were not begun with. */
const RETURN_MS = 1000

type Work = Queued & { received: ReceivedMessage }

/**
 * One member of a group, over the gRPC protocol. The servers decide who gets which message and keep the offsets; a
 * message is nobody else's until it is acknowledged, given back or its member is gone.
 */
export class GrpcMember implements Subscription {
  readonly #settings: RocketmqSettings
  readonly #source: CheckedSource
  readonly #handle: MessageHandler
  readonly #log: Log
  readonly #requests: GrpcRequests
  readonly #dispatcher: Dispatcher
  readonly #health: Health
  readonly #work: QueueWork<Work>
  /** As the server spells it. */
  readonly #group: string
  readonly #subscribed: Subscribed[]
  /** By topic and broker. */
  readonly #queues = new Map<string, { subscribed: Subscribed; queue: MessageQueue }>()
  readonly #unfinished = new Set<ReceivedMessage>()
  readonly #room = new Bell()
  readonly #bell = new Bell()
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[] = []
  #groupSettings: GroupSettings | undefined
  #count = 0n
  #isLost = false
  #closing: Promise<void> | undefined

  constructor(
    settings: RocketmqSettings,
    source: CheckedSource,
    handle: MessageHandler,
    { log }: ConnectionContext,
  ) {
    this.#settings = settings
    this.#source = source
    this.#handle = handle
    this.#log = log
    this.#group = withNamespace(source.group, settings)
    // Each queue and each message that waits for something listens.
    setMaxListeners(0, this.#stop.signal)
    this.#subscribed = source.topics.map(({ topic, filter }) => ({
      topic: withNamespace(topic, settings),
      filter,
    }))
    this.#requests = new GrpcRequests(settings, this.#group, this.#subscribed, log, () => {
      this.#isLost = true
      this.#bell.ring()
    })
    this.#dispatcher = new Dispatcher(source.concurrency)
    this.#health = new Health(source.group, log)
    this.#work = new QueueWork<Work>({
      start: 0n,
      batchSize: source.batchSize,
      laneOf: ({ received }) => this.#laneOf(received),
      handle: (batch, isGivenUp) => this.#consume(batch, isGivenUp),
      afterFailure: (message, error) => this.#afterFailure(message, error),
      onProgress: () => {
        this.#dispatcher.dispatch()
        this.#room.ring()
      },
    })
    this.#dispatcher.add(this.#work)
  }

  /** Becomes a member and starts to consume. @throws RelayError with the reason why it cannot */
  async start(): Promise<void> {
    for (const subscribed of this.#subscribed) await this.#lookUp(subscribed)
    await this.#introduce()
    if (this.#source.order !== 'none' && !this.#groupSettings?.isOrdered) {
      throw new RelayError(
        'NOT_SUPPORTED',
        `order is "${this.#source.order}", but over protocol "grpc" the servers hand out messages of group ` +
          `"${this.#source.group}" in no order: set them up for it (mqadmin updateSubGroup -g ${this.#group} -o true), ` +
          'use protocol "remoting", or leave order out',
      )
    }
    for (const { subscribed, queue } of this.#queues.values()) this.#receiveFrom(subscribed, queue)
    this.#loops.push(this.#keepJoined())
  }

  pause(queues?: readonly QueueId[]): void {
    if (queues) throw notSupported('single queues cannot be paused')
    this.#dispatcher.isPaused = true
  }

  resume(queues?: readonly QueueId[]): void {
    if (queues) throw notSupported('single queues cannot be paused')
    this.#dispatcher.isPaused = false
  }

  async seek(): Promise<QueueId[]> {
    throw notSupported('a group cannot be moved to another offset')
  }

  async positions(): Promise<QueuePosition[]> {
    throw notSupported('the servers keep the offsets of a group to themselves')
  }

  status(): SubscriptionStatus {
    const { error, lastPollAt } = this.#health
    return { error, lastPollAt, handling: this.#dispatcher.running }
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave()
    return this.#closing
  }

  async #leave(): Promise<void> {
    this.#stop.abort()
    this.#bell.ring()
    this.#room.ring()
    this.#requests.stopReceiving()
    await this.#dispatcher.stop()
    this.#work.drop()
    await Promise.all(this.#loops)
    await Promise.allSettled(
      [...this.#unfinished].map((message) => this.#requests.deliverAgain(message, RETURN_MS)),
    )
    await Promise.allSettled(this.#endpoints().map((endpoints) => this.#requests.leave(endpoints)))
    this.#requests.close()
  }

  async #keepJoined(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#bell.wait(JOIN_EVERY_MS)
      if (this.#stop.signal.aborted) return
      try {
        if (this.#isLost) {
          this.#isLost = false
          this.#requests.renew()
        }
        for (const subscribed of this.#subscribed) {
          for (const queue of await this.#lookUp(subscribed)) this.#receiveFrom(subscribed, queue)
        }
        await this.#introduce()
        await Promise.all(this.#endpoints().map((endpoints) => this.#requests.heartbeat(endpoints)))
      } catch (thrown) {
        if (this.#stop.signal.aborted) return
        this.#isLost = true
        this.#health.failed(toRelayError(thrown))
        await pause(JOIN_AGAIN_MS, this.#stop.signal)
        this.#bell.ring()
      }
    }
  }

  /** @returns the queues that were not known before */
  async #lookUp(subscribed: Subscribed): Promise<MessageQueue[]> {
    const queues = await this.#requests.route(subscribed.topic)
    return queues.filter((queue) => {
      const key = `${subscribed.topic} ${queue.broker.name}`
      const isNew = !this.#queues.has(key)
      if (isNew) this.#queues.set(key, { subscribed, queue })
      return isNew
    })
  }

  async #introduce(): Promise<void> {
    for (const endpoints of this.#endpoints()) {
      this.#groupSettings = (await this.#requests.introduce(endpoints)) ?? this.#groupSettings
    }
  }

  #receiveFrom(subscribed: Subscribed, queue: MessageQueue): void {
    this.#loops.push(this.#receive(subscribed, queue))
  }

  async #receive(subscribed: Subscribed, queue: MessageQueue): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      const most = 2 * this.#source.concurrency * this.#source.batchSize - this.#unfinished.size
      if (most <= 0) {
        await this.#room.wait(JOIN_AGAIN_MS)
        continue
      }
      try {
        await this.#requests.receive(subscribed, queue, most, (messages) => this.#take(messages))
        failures = 0
        this.#health.answered()
      } catch (thrown) {
        if (signal.aborted) return
        this.#health.failed(toRelayError(thrown))
        // Whatever it is, a fresh client cannot be what is wrong next time.
        this.#isLost = true
        this.#bell.ring()
        await pause(Math.min(JOIN_AGAIN_MS * 2 ** failures++, LONGEST_PAUSE_MS), signal)
      }
    }
  }

  #take(messages: ReceivedMessage[]): void {
    const work = messages.map((received) => {
      this.#unfinished.add(received)
      return { offset: this.#count++, size: received.rawBody.length, attempt: received.attempt, received }
    })
    this.#work.add(work, this.#count)
    this.#dispatcher.dispatch()
  }

  #laneOf({ messageGroup, topic, broker, partition }: ReceivedMessage): string | undefined {
    switch (this.#source.order) {
      case 'none':
        return undefined
      case 'key':
        return messageGroup
      case 'queue':
        return `${topic} ${broker} ${partition}`
      default:
        return this.#source.order satisfies never
    }
  }

  async #consume(batch: Work[], isGivenUp: AbortSignal): Promise<void> {
    const { namespace } = this.#settings
    await this.#handle(
      await Promise.all(
        batch.map(({ received, attempt }) => inboundFromProxy({ ...received, attempt }, namespace)),
      ),
      isGivenUp,
    )
    await Promise.all(batch.map(({ received }) => this.#acknowledge(received)))
  }

  /** Until the proxy has heard it, as it would keep the message from everybody for hours otherwise. */
  async #acknowledge(message: ReceivedMessage): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        await this.#requests.acknowledge(message)
        break
      } catch (thrown) {
        const error = toRelayError(thrown)
        if (!error.retryable || this.#stop.signal.aborted) {
          this.#log.warn('a consumed message could not be acknowledged and may come again', {
            topic: message.topic,
            messageId: message.id,
            reason: error.message,
          })
          break
        }
        this.#health.failed(error)
        await pause(Math.min(JOIN_AGAIN_MS * 2 ** failures, LONGEST_PAUSE_MS), this.#stop.signal)
      }
    }
    this.#unfinished.delete(message)
  }

  /** A message goes back to the servers if it may lose its place, and is kept here otherwise or if that fails. */
  async #afterFailure({ received, attempt }: Work, error: unknown): Promise<number | undefined> {
    const { maxRedeliveries, redeliveryDelayMs, order } = this.#source
    const isLast = attempt > maxRedeliveries
    const fields = { topic: received.topic, messageId: received.id, attempt }
    this.#log.debug('a message was not consumed', { ...fields, reason: String(error) })
    if (order !== 'none' && !isLast) return redeliveryDelayMs?.(attempt) ?? SUSPEND_MS
    try {
      if (isLast) await this.#requests.giveUp({ ...received, attempt })
      else await this.#requests.deliverAgain(received, this.#groupSettings?.delayMs(attempt) ?? SUSPEND_MS)
    } catch (thrown) {
      const { message: reason } = toRelayError(thrown)
      this.#log.warn(
        'a message that was not consumed could not be given back: it is kept and handled again',
        {
          ...fields,
          reason,
        },
      )
      return Math.min(SUSPEND_MS * 2 ** (attempt - 1), LONGEST_LOCAL_RETRY_MS)
    }
    this.#unfinished.delete(received)
    if (isLast) {
      this.#log.warn('a message failed for the last time and is now a dead letter', {
        ...fields,
        deadLetterTopic: deadLetterTopic(this.#group),
      })
    }
    return undefined
  }

  /** Of the proxies, each once. */
  #endpoints(): Endpoints[] {
    const byAddress = new Map<string, Endpoints>()
    for (const { queue } of this.#queues.values()) {
      byAddress.set(queue.broker.endpoints.facade, queue.broker.endpoints)
    }
    return [...byAddress.values()]
  }
}

function notSupported(what: string): RelayError {
  return new RelayError('NOT_SUPPORTED', `over protocol "grpc" ${what}: use protocol "remoting"`)
}
