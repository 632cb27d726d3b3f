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
import { Health } from './health.js'
import { inboundMessage, messageGroup, retryTopic, withoutNamespace } from './inbound.js'
import { PulledQueue } from './pulled-queue.js'
import { keyOf, QueueLocks } from './queue-locks.js'
import { ReadRoutes } from './read-routes.js'
import { ConsumerRequests, type Membership, type ReadQueue, type ReadRoute } from './requests.js'
import { sendBack } from './send-back.js'
import type { CheckedSource } from './source.js'
import type { StoredMessage } from './stored-message.js'

/** As often as RocketMQ's own clients share out the queues anew; brokers forget a member after two minutes. */
const JOIN_EVERY_MS = 20_000
/** When something was still missing: a route, a lock, a broker. */
const JOIN_AGAIN_MS = 1000
const COMMIT_EVERY_MS = 1000
/** Messages waiting in memory, all queues together. */
const MEMORY_BYTES = 64 * 1024 * 1024

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
  readonly #health: Health
  readonly #clientId = `${hostname()}@${process.pid}@${randomUUID().slice(0, 8)}`
  /** As the server spells it. */
  readonly #group: string
  /** By the topic as the server spells it, that of the messages sent back included. */
  readonly #subscriptions: Map<string, SubscriptionData>
  readonly #routes: ReadRoutes
  readonly #queues = new Map<string, PulledQueue>()
  /** Given up, while the last of their messages is being handled. */
  readonly #releasing = new Set<string>()
  /** Where the order of a queue must hold across members. */
  readonly #locks: QueueLocks | undefined
  readonly #paused = new Set<string>()
  readonly #bell = new Bell()
  readonly #stop = new AbortController()
  #loops: Promise<unknown> = Promise.resolve()
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
    this.#routes = new ReadRoutes(this.#requests, log)
    this.#dispatcher = new Dispatcher(source.concurrency)
    this.#health = new Health(source.group, log)
    if (this.#isClustering && source.order !== 'none') {
      this.#locks = new QueueLocks({
        requests: this.#requests,
        clientId: this.#clientId,
        group: this.#group,
        addressOf: (queue) => this.#routes.addressOf(queue),
      })
    }
    const version = Date.now()
    const wanted = source.topics.map(({ topic, filter }) =>
      subscriptionData(withNamespace(topic, settings), filter, version),
    )
    if (this.#isClustering) wanted.push(subscriptionData(retryTopic(this.#group), undefined, version))
    this.#subscriptions = new Map(wanted.map((data) => [data.topic, data]))
  }

  /** Becomes a member and starts to consume. @throws RelayError with the reason why it cannot */
  async start(): Promise<void> {
    // That of the messages sent back comes with the first heartbeat.
    await this.#routes.require(this.#source.topics.map(({ topic }) => withNamespace(topic, this.#settings)))
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
        const end = await this.#requests.endOffset(this.#routes.addressOf(queue), queue)
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
    const queues = [...this.#queues.values()]
    for (const queue of queues) queue.stop()
    await this.#withinBudget(this.#dispatcher.stop())
    await this.#loops
    const addresses = this.#routes.addresses
    await Promise.allSettled(queues.map((queue) => this.#commit(queue)))
    for (const queue of queues) queue.drop()
    await Promise.allSettled(queues.map(({ queue }) => this.#locks?.release(queue)))
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
        await this.#routes.renew(this.#subscriptions.keys())
        isComplete = await this.#join()
      } catch (thrown) {
        if (this.#stop.signal.aborted) return
        isComplete = false
        this.#health.failed(toRelayError(thrown))
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
      this.#routes.addresses.map((address) => this.#requests.heartbeat(address, member)),
    )
    const failed = beats.find((beat) => beat.status === 'rejected')
    if (failed && beats.every((beat) => beat.status === 'rejected')) throw failed.reason
    const mine = new Map<string, ReadQueue>()
    for (const [topic, route] of this.#routes.known) {
      for (const queue of await this.#shareOf(topic, route)) mine.set(keyOf(queue), queue)
    }
    for (const [key, pulled] of this.#queues) if (!mine.has(key)) this.#release(key, pulled)
    const isComplete = await this.#take(mine)
    return isComplete && !failed && this.#routes.known.size === this.#subscriptions.size
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
    const locked = this.#locks && (await this.#lock(this.#locks, [...mine.values()]))
    let isComplete = true
    await Promise.all(
      [...mine].map(async ([key, queue]) => {
        if (this.#queues.has(key)) return
        if (this.#releasing.has(key) || (locked && !locked.has(key))) {
          isComplete = false
          return
        }
        const offset = await this.#startOf(queue)
        if (this.#stop.signal.aborted) return
        const pulled = this.#pulledQueue(queue, offset)
        pulled.committed = offset
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
      pull: (of, offset) => this.#requests.pull(this.#routes.addressOf(of), this.#group, of, offset, data),
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
        afterFailure: (message, error) => {
          this.#log.debug('a message was not consumed', { ...queue, reason: String(error) })
          return sendBack(queue, message, {
            requests: this.#requests,
            group: this.#group,
            maxRedeliveries: this.#source.maxRedeliveries,
            mayLosePlace: this.#isClustering && this.#source.order === 'none',
            addressOf: (of) => this.#routes.addressOf(of),
            log: this.#log,
          })
        },
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

  /**
   * Where to begin. A place that was chosen for want of an offset is committed before anything is handed over: were
   * this member to die with the first messages, the next one might choose a later place and pass them by.
   */
  async #startOf(queue: ReadQueue): Promise<bigint> {
    if (!this.#isClustering) return this.#offsetFor(this.#source.from, queue)
    const address = this.#routes.addressOf(queue)
    const committed = await this.#requests.committed(address, this.#group, queue)
    if (committed !== undefined) return committed
    // Whatever was sent back waits to be handled, no matter when.
    const isRetry = queue.topic === retryTopic(this.#group)
    const offset = await this.#offsetFor(isRetry ? { at: 'earliest' } : this.#source.from, queue)
    await this.#requests.commit(address, this.#group, queue, offset)
    return offset
  }

  async #offsetFor(position: StartPosition, queue: ReadQueue): Promise<bigint> {
    const address = this.#routes.addressOf(queue)
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
    if (!this.#locks) {
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
    for (const step of [() => this.#commit(pulled), async () => this.#locks?.release(pulled.queue)]) {
      await step().catch((error: unknown) =>
        this.#log.debug('giving up a queue failed', { ...pulled.queue, error: String(error) }),
      )
    }
    pulled.drop()
  }

  /** Keys of the queues that are locked for this member. Held ones that are not any more are given up at once. */
  async #lock(locks: QueueLocks, queues: ReadQueue[]): Promise<Set<string>> {
    const locked = await locks.hold(queues)
    for (const [key, pulled] of this.#queues) {
      if (locked.has(key)) continue
      this.#queues.delete(key)
      this.#dispatcher.remove(pulled)
      pulled.drop()
    }
    return locked
  }

  async #keepCommitted(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(COMMIT_EVERY_MS, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      const outcomes = await Promise.allSettled(
        [...this.#queues.values()].map((queue) => this.#commit(queue)),
      )
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) this.#health.failed(toRelayError(failed.reason))
    }
  }

  async #commit(pulled: PulledQueue): Promise<void> {
    const { position, queue } = pulled
    if (!this.#isClustering || pulled.committed === position) return
    await this.#requests.commit(this.#routes.addressOf(queue), this.#group, queue, position)
    pulled.committed = position
  }

  /** SQL expressions are compiled by the broker, which says here what is wrong with one. */
  async #checkExpressions(): Promise<void> {
    for (const data of this.#subscriptions.values()) {
      if (data.expressionType !== 'SQL92') continue
      const address = this.#routes.addresses[0]
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
      this.#health.answered()
      return
    }
    this.#health.failed(error)
    // A broker that lost the connection has forgotten this member.
    this.#bell.ring()
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

  /** Queues of the topics asked for, or of one. */
  #held(topic?: string): PulledQueue[] {
    const retry = retryTopic(this.#group)
    return [...this.#queues.values()].filter(({ queue }) =>
      topic === undefined ? queue.topic !== retry : queue.topic === topic,
    )
  }

  #idOf({ topic, broker, id }: ReadQueue): QueueId {
    return { topic: withoutNamespace(topic, this.#settings.namespace), broker, partition: id }
  }

  #keyOfId({ topic, broker = '', partition }: QueueId): string {
    return keyOf({ topic: withNamespace(topic, this.#settings), broker, id: partition })
  }
}
