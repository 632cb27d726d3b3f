import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import { RelayError, toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { pause, withTimeLimit } from '../../../core/time-limit.js'
import type { ConnectionContext } from '../../broker.js'
import type { StartPosition } from '../../operator.js'
import { Dispatcher } from '../../queue-work.js'
import {
  CLOSE_BUDGET_MS,
  type MessageHandler,
  type QueueId,
  type QueuePosition,
  type Subscription,
  type SubscriptionStatus,
} from '../../subscription.js'
import type { RocketmqSettings } from '../settings.js'
import { withNamespace } from '../settings.js'
import { allocateAveragely } from './allocation.js'
import { Bell } from './bell.js'
import { type SubscriptionData, subscriptionData } from './filter.js'
import {
  deadLetterTopic,
  inboundMessage,
  messageGroup,
  messageId,
  retryTopic,
  withoutNamespace,
} from './inbound.js'
import { PulledQueue } from './pulled-queue.js'
import { ConsumerRequests, type Membership, type ReadQueue, type ReadRoute } from './requests.js'
import type { CheckedSource } from './source.js'
import type { StoredMessage } from './stored-message.js'

/** As often as RocketMQ's own clients share out the queues anew; brokers forget a member after two minutes. */
const JOIN_EVERY_MS = 20_000
/** When something was still missing: a route, a lock, a broker. */
const JOIN_AGAIN_MS = 1000
const COMMIT_EVERY_MS = 1000
/** Brokers give a lock to somebody else after 60 s. */
const LOCK_LASTS_MS = 30_000
/** Messages waiting in memory, all queues together. */
const MEMORY_BYTES = 64 * 1024 * 1024
/** Before a message whose order must be kept is handled again, as with RocketMQ's own clients. */
const SUSPEND_MS = 1000
const LONGEST_LOCAL_RETRY_MS = 30_000

/**
 * One member of a group, over the remoting protocol. What RocketMQ's own clients do in their heads is done here: the
 * members share out the queues among themselves, each fetches from its own and commits.
 */
export class RemotingMember implements Subscription {
  readonly #settings: RocketmqSettings
  readonly #source: CheckedSource
  readonly #handle: MessageHandler
  readonly #log: Log
  readonly #requests: ConsumerRequests
  readonly #dispatcher: Dispatcher
  readonly #clientId = `${hostname()}@${process.pid}@${randomUUID().slice(0, 8)}`
  /** As the server spells it. */
  readonly #group: string
  /** By the topic as the server spells it, that of the messages sent back included. */
  readonly #subscriptions: Map<string, SubscriptionData>
  readonly #routes = new Map<string, ReadRoute>()
  readonly #queues = new Map<string, PulledQueue>()
  /** Given up, while the last of their messages is being handled. */
  readonly #releasing = new Set<string>()
  /** When each was last locked, by the monotonic clock. */
  readonly #lockedAt = new Map<string, number>()
  readonly #paused = new Set<string>()
  readonly #bell = new Bell()
  readonly #stop = new AbortController()
  #loops: Promise<unknown> = Promise.resolve()
  #error: RelayError | undefined
  #lastPollAt: number | undefined
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
    this.#requests = new ConsumerRequests(settings, log, () => this.#bell.ring())
    this.#dispatcher = new Dispatcher(source.concurrency)
    const version = Date.now()
    const wanted = source.topics.map(({ topic, filter }) =>
      subscriptionData(withNamespace(topic, settings), filter, version),
    )
    if (this.#isClustering) wanted.push(subscriptionData(retryTopic(this.#group), undefined, version))
    this.#subscriptions = new Map(wanted.map((data) => [data.topic, data]))
  }

  /** Becomes a member and starts to consume. @throws RelayError with the reason why it cannot */
  async start(): Promise<void> {
    await this.#ownRoutes()
    await this.#checkExpressions()
    const isComplete = await this.#join()
    this.#loops = Promise.all([this.#keepJoined(isComplete), this.#keepCommitted()])
  }

  pause(queues?: readonly QueueId[]): void {
    if (!queues) this.#dispatcher.isPaused = true
    for (const queue of queues ?? []) this.#paused.add(this.#keyOfId(queue))
    this.#applyPauses()
  }

  resume(queues?: readonly QueueId[]): void {
    if (!queues) {
      this.#paused.clear()
      this.#dispatcher.isPaused = false
    }
    for (const queue of queues ?? []) this.#paused.delete(this.#keyOfId(queue))
    this.#applyPauses()
  }

  async seek(to: StartPosition, queues?: readonly QueueId[]): Promise<QueueId[]> {
    const wanted = queues && new Set(queues.map((queue) => this.#keyOfId(queue)))
    const held = this.#held().filter(({ queue }) => !wanted || wanted.has(keyOf(queue)))
    await Promise.all(
      held.map(async (pulled) => {
        pulled.moveTo(await this.#offsetFor(to, pulled.queue))
        await this.#commit(pulled)
      }),
    )
    return held.map(({ queue }) => this.#idOf(queue))
  }

  async positions(): Promise<QueuePosition[]> {
    return Promise.all(
      this.#held().map(async ({ queue, position, isPaused }) => {
        const end = await this.#requests.endOffset(this.#addressOf(queue), queue)
        return {
          ...this.#idOf(queue),
          offset: String(position),
          end: String(end),
          lag: String(end > position ? end - position : 0n),
          paused: isPaused || this.#dispatcher.isPaused,
        }
      }),
    )
  }

  status(): SubscriptionStatus {
    return { error: this.#error, lastPollAt: this.#lastPollAt, handling: this.#dispatcher.running }
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave()
    return this.#closing
  }

  async #leave(): Promise<void> {
    this.#stop.abort()
    this.#bell.ring()
    const queues = [...this.#queues.values()]
    for (const queue of queues) queue.stop()
    await this.#withinBudget(this.#dispatcher.stop())
    await this.#loops
    const addresses = this.#addresses()
    await Promise.allSettled(queues.map((queue) => this.#commit(queue)))
    for (const queue of queues) queue.drop()
    if (this.#isLocking) await Promise.allSettled(queues.map(({ queue }) => this.#unlock(queue)))
    await Promise.allSettled(
      addresses.map((address) => this.#requests.leave(address, this.#clientId, this.#group)),
    )
    await this.#requests.close()
  }

  async #keepJoined(wasComplete: boolean): Promise<void> {
    let isComplete = wasComplete
    while (!this.#stop.signal.aborted) {
      await this.#bell.wait(isComplete ? JOIN_EVERY_MS : JOIN_AGAIN_MS)
      if (this.#stop.signal.aborted) return
      try {
        await this.#renewRoutes()
        isComplete = await this.#join()
      } catch (thrown) {
        if (this.#stop.signal.aborted) return
        isComplete = false
        this.#report(toRelayError(thrown))
        // A bell that rings at every failure must not make this a busy loop.
        await pause(JOIN_AGAIN_MS, this.#stop.signal)
      }
    }
  }

  /** Tells the brokers of this member and takes its share of the queues. Resolves to whether nothing is missing. */
  async #join(): Promise<boolean> {
    const member: Membership = {
      clientId: this.#clientId,
      group: this.#group,
      mode: this.#source.mode,
      from: this.#source.from,
      subscriptions: [...this.#subscriptions.values()],
    }
    const beats = await Promise.allSettled(
      this.#addresses().map((address) => this.#requests.heartbeat(address, member)),
    )
    const failed = beats.find((beat) => beat.status === 'rejected')
    if (failed && beats.every((beat) => beat.status === 'rejected')) throw failed.reason
    const mine = new Map<string, ReadQueue>()
    for (const [topic, route] of this.#routes) {
      for (const queue of await this.#shareOf(topic, route)) mine.set(keyOf(queue), queue)
    }
    for (const [key, pulled] of this.#queues) if (!mine.has(key)) this.#release(key, pulled)
    const isComplete = await this.#take(mine)
    return isComplete && !failed && this.#routes.size === this.#subscriptions.size
  }

  async #shareOf(topic: string, route: ReadRoute): Promise<ReadQueue[]> {
    if (!this.#isClustering) return route.queues
    const members = await this.#members(route)
    if (members.includes(this.#clientId)) return allocateAveragely(route.queues, members, this.#clientId)
    // The broker has just forgotten this member, which the next heartbeat sets right.
    return this.#held(topic).map(({ queue }) => queue)
  }

  async #members(route: ReadRoute): Promise<string[]> {
    let failure: unknown
    for (const address of new Set(route.addressOf.values())) {
      try {
        return await this.#requests.members(address, this.#group)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** Starts on those queues that are new. Resolves to whether all could be had. */
  async #take(mine: Map<string, ReadQueue>): Promise<boolean> {
    const locked = this.#isLocking ? await this.#lock([...mine.values()]) : undefined
    let isComplete = true
    await Promise.all(
      [...mine].map(async ([key, queue]) => {
        if (this.#queues.has(key)) return
        if (this.#releasing.has(key) || (locked && !locked.has(key))) {
          isComplete = false
          return
        }
        const { offset, isCommitted } = await this.#startOf(queue)
        if (this.#stop.signal.aborted) return
        const pulled = this.#pulledQueue(queue, offset)
        if (isCommitted) pulled.committed = offset
        this.#queues.set(key, pulled)
        this.#dispatcher.add(pulled)
        this.#log.debug('consuming a queue', { ...queue, offset: String(offset) })
      }),
    )
    this.#applyPauses()
    return isComplete
  }

  #pulledQueue(queue: ReadQueue, start: bigint): PulledQueue {
    const { topic } = queue
    const data = this.#subscriptions.get(topic)
    if (!data) throw new RelayError('INTERNAL', `topic "${topic}" is not subscribed to`)
    return new PulledQueue({
      queue,
      start,
      data,
      filter: this.#source.topics.find((each) => withNamespace(each.topic, this.#settings) === topic)?.filter,
      pull: (of, offset) => this.#requests.pull(this.#addressOf(of), this.#group, of, offset, data),
      hasRoom: () => this.#held().reduce((sum, { bytes }) => sum + bytes, 0) < MEMORY_BYTES,
      onAnswer: (error) => this.#onAnswer(error),
      onProgress: () => this.#onProgress(),
      log: this.#log,
      work: {
        batchSize: this.#source.batchSize,
        laneOf: this.#laneOf(topic),
        handle: async (batch) => {
          const { namespace } = this.#settings
          await this.#handle(
            await Promise.all(batch.map((message) => inboundMessage(message, queue.broker, namespace))),
          )
        },
        afterFailure: (message, error) => this.#afterFailure(queue, message, error),
      },
    })
  }

  #laneOf(topic: string): (message: StoredMessage) => string | undefined {
    // What was sent back has lost its place anyway.
    if (topic === retryTopic(this.#group)) return () => undefined
    switch (this.#source.order) {
      case 'none':
        return () => undefined
      case 'key':
        return messageGroup
      case 'queue':
        return () => ''
      default:
        return this.#source.order satisfies never
    }
  }

  /** A message goes back to the broker if it may lose its place, and is kept here otherwise or if that fails. */
  async #afterFailure(queue: ReadQueue, message: StoredMessage, error: unknown): Promise<number | undefined> {
    const { maxRedeliveries, order } = this.#source
    const isLast = message.attempt > maxRedeliveries
    const fields = { topic: message.topic, messageId: messageId(message), attempt: message.attempt }
    this.#log.debug('a message was not consumed', { ...fields, reason: String(error) })
    if ((order !== 'none' || !this.#isClustering) && !isLast) return SUSPEND_MS
    try {
      await this.#requests.sendBack(this.#addressOf(queue), this.#group, message, {
        maxReconsumeTimes: maxRedeliveries,
        giveUp: isLast,
      })
    } catch (thrown) {
      const { message: reason } = toRelayError(thrown)
      this.#log.warn('a message that was not consumed could not be sent back: it is kept and handled again', {
        ...fields,
        reason,
      })
      return Math.min(SUSPEND_MS * 2 ** (message.attempt - 1), LONGEST_LOCAL_RETRY_MS)
    }
    if (isLast) {
      this.#log.warn('a message failed for the last time and is now a dead letter', {
        ...fields,
        deadLetterTopic: deadLetterTopic(this.#group),
      })
    }
    return undefined
  }

  async #startOf(queue: ReadQueue): Promise<{ offset: bigint; isCommitted: boolean }> {
    if (this.#isClustering) {
      const committed = await this.#requests.committed(this.#addressOf(queue), this.#group, queue)
      if (committed !== undefined) return { offset: committed, isCommitted: true }
      // Whatever was sent back waits to be handled, no matter when.
      if (queue.topic === retryTopic(this.#group)) {
        return { offset: await this.#offsetFor({ at: 'earliest' }, queue), isCommitted: false }
      }
    }
    return { offset: await this.#offsetFor(this.#source.from, queue), isCommitted: false }
  }

  async #offsetFor(position: StartPosition, queue: ReadQueue): Promise<bigint> {
    const address = this.#addressOf(queue)
    switch (position.at) {
      case 'earliest':
        return this.#requests.firstOffset(address, queue)
      case 'latest':
        return this.#requests.endOffset(address, queue)
      case 'time':
        return this.#requests.offsetAt(address, queue, position.time)
      case 'offset':
        return BigInt(position.offset)
      default:
        return position satisfies never
    }
  }

  /** Gives a queue to whoever is to have it now. */
  #release(key: string, pulled: PulledQueue): void {
    this.#queues.delete(key)
    this.#log.debug('a queue goes to another member', { ...pulled.queue })
    pulled.stop()
    if (!this.#isLocking) {
      void this.#commit(pulled).catch(() => undefined)
      pulled.drop()
      this.#dispatcher.remove(pulled)
      return
    }
    // The others wait for the lock, so that its order holds across members.
    this.#releasing.add(key)
    void this.#handOver(pulled).finally(() => {
      this.#dispatcher.remove(pulled)
      this.#releasing.delete(key)
    })
  }

  async #handOver(pulled: PulledQueue): Promise<void> {
    await this.#withinBudget(pulled.idle())
    // What is not committed comes again, but a lock that stays would keep the queue from everybody for a minute.
    for (const step of [() => this.#commit(pulled), () => this.#unlock(pulled.queue)]) {
      await step().catch((error: unknown) =>
        this.#log.debug('giving up a queue failed', { ...pulled.queue, error: String(error) }),
      )
    }
    pulled.drop()
  }

  /** Keys of the queues that are locked for this member. Held ones that are not any more are given up at once. */
  async #lock(queues: ReadQueue[]): Promise<Set<string>> {
    const now = performance.now()
    const byAddress = new Map<string, ReadQueue[]>()
    for (const queue of queues) {
      const address = this.#addressOf(queue)
      byAddress.set(address, [...(byAddress.get(address) ?? []), queue])
    }
    await Promise.all(
      [...byAddress].map(async ([address, ofBroker]) => {
        const locked = await this.#requests
          .lock(address, this.#clientId, this.#group, ofBroker)
          .catch(() => undefined)
        // Without an answer the lock from before may go on for a while.
        if (!locked) return
        for (const queue of ofBroker) this.#lockedAt.delete(keyOf(queue))
        for (const queue of locked) this.#lockedAt.set(keyOf(queue), now)
      }),
    )
    const locked = new Set<string>()
    for (const queue of queues) {
      const key = keyOf(queue)
      if (now - (this.#lockedAt.get(key) ?? Number.NEGATIVE_INFINITY) < LOCK_LASTS_MS) locked.add(key)
    }
    for (const [key, pulled] of this.#queues) {
      if (locked.has(key)) continue
      this.#queues.delete(key)
      this.#dispatcher.remove(pulled)
      pulled.drop()
    }
    return locked
  }

  async #unlock(queue: ReadQueue): Promise<void> {
    this.#lockedAt.delete(keyOf(queue))
    await this.#requests.unlock(this.#addressOf(queue), this.#clientId, this.#group, [queue])
  }

  async #keepCommitted(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(COMMIT_EVERY_MS, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      const outcomes = await Promise.allSettled(
        [...this.#queues.values()].map((queue) => this.#commit(queue)),
      )
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) this.#report(toRelayError(failed.reason))
    }
  }

  async #commit(pulled: PulledQueue): Promise<void> {
    const { position, queue } = pulled
    if (!this.#isClustering || pulled.committed === position) return
    await this.#requests.commit(this.#addressOf(queue), this.#group, queue, position)
    pulled.committed = position
  }

  /** The routes of the topics asked for; that of the messages sent back comes with the first heartbeat. */
  async #ownRoutes(): Promise<void> {
    for (const { topic } of this.#source.topics) {
      const physical = withNamespace(topic, this.#settings)
      this.#routes.set(physical, await this.#requests.route(physical))
    }
  }

  /** Where it fails, the routes known so far are kept: name servers forget the topics of brokers that are away. */
  async #renewRoutes(): Promise<void> {
    for (const topic of this.#subscriptions.keys()) {
      try {
        this.#routes.set(topic, await this.#requests.route(topic))
      } catch (thrown) {
        this.#log.debug('looking up the route of a topic failed', { topic, error: String(thrown) })
      }
    }
  }

  /** SQL expressions are compiled by the broker, which says here what is wrong with one. */
  async #checkExpressions(): Promise<void> {
    for (const data of this.#subscriptions.values()) {
      if (data.expressionType !== 'SQL92') continue
      const address = this.#addresses()[0]
      if (address === undefined) return
      try {
        await this.#requests.checkSubscription(address, this.#clientId, this.#group, data)
      } catch (thrown) {
        const error = toRelayError(thrown)
        if (error.retryable && error.code !== 'BROKER_UNAVAILABLE') throw error
        throw new RelayError(
          'INPUT_INVALID',
          `the filter of topic "${withoutNamespace(data.topic, this.#settings.namespace)}" cannot be used: ` +
            `${error.message}; correct the SQL expression, and let the brokers filter by properties (enablePropertyFilter=true)`,
          { cause: thrown },
        )
      }
    }
  }

  #onAnswer(error: RelayError | undefined): void {
    if (!error) {
      this.#lastPollAt = Date.now()
      if (this.#error) this.#log.info('consuming again', { group: this.#source.group })
      this.#error = undefined
      return
    }
    this.#report(error)
    // A broker that lost the connection has forgotten this member.
    this.#bell.ring()
  }

  #report(error: RelayError): void {
    if (this.#error?.message !== error.message) {
      this.#log.warn('not everything can be consumed just now', {
        group: this.#source.group,
        error: error.message,
      })
    }
    this.#error = error
  }

  #onProgress(): void {
    this.#dispatcher.dispatch()
    for (const queue of this.#queues.values()) queue.wake()
  }

  #applyPauses(): void {
    for (const [key, queue] of this.#queues) queue.isPaused = this.#paused.has(key)
  }

  async #withinBudget(work: Promise<void>): Promise<void> {
    await withTimeLimit(work, CLOSE_BUDGET_MS, () => new Error('still at work')).catch(() => undefined)
  }

  get #isClustering(): boolean {
    return this.#source.mode === 'clustering'
  }

  /** Whether the order of a queue must hold across members. */
  get #isLocking(): boolean {
    return this.#isClustering && this.#source.order !== 'none'
  }

  /** Queues of the topics asked for, or of one. */
  #held(topic?: string): PulledQueue[] {
    const retry = retryTopic(this.#group)
    return [...this.#queues.values()].filter(({ queue }) =>
      topic === undefined ? queue.topic !== retry : queue.topic === topic,
    )
  }

  #addresses(): string[] {
    return [...new Set([...this.#routes.values()].flatMap(({ addresses }) => addresses))]
  }

  #addressOf({ topic, broker }: ReadQueue): string {
    const address = this.#routes.get(topic)?.addressOf.get(broker)
    if (address !== undefined) return address
    throw new RelayError('BROKER_UNAVAILABLE', `broker "${broker}" of topic "${topic}" is not running`)
  }

  #idOf({ topic, broker, id }: ReadQueue): QueueId {
    return { topic: withoutNamespace(topic, this.#settings.namespace), broker, partition: id }
  }

  #keyOfId({ topic, broker = '', partition }: QueueId): string {
    return keyOf({ topic: withNamespace(topic, this.#settings), broker, id: partition })
  }
}

function keyOf({ topic, broker, id }: ReadQueue): string {
  return `${topic} ${broker} ${id}`
}
