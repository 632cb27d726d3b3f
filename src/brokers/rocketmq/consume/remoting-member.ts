import { setMaxListeners } from 'node:events'
import { type RelayError, toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { pause } from '../../../core/time-limit.js'
import { Bell } from '../../bell.js'
import type { ConnectionContext } from '../../broker.js'
import { Health } from '../../health.js'
import type { StartPosition } from '../../operator.js'
import { Dispatcher } from '../../queue-work.js'
import type {
  MessageHandler,
  QueueId,
  QueuePosition,
  Subscription,
  SubscriptionStatus,
} from '../../subscription.js'
import type { RocketmqSettings } from '../settings.js'
import { withNamespace } from '../settings.js'
import { ConsumerClient } from './consumer-client.js'
import { GroupMembership } from './group-membership.js'
import { GroupOffsets } from './group-offsets.js'
import { GroupRequests } from './group-requests.js'
import { HeldQueues } from './held-queues.js'
import { retryTopic, withoutNamespace } from './inbound.js'
import { messageWork } from './message-work.js'
import { PulledQueue } from './pulled-queue.js'
import { keyOf, QueueLocks } from './queue-locks.js'
import { QueueRequests, type ReadQueue } from './queue-requests.js'
import { ReadRoutes } from './read-routes.js'
import { runningInfo } from './running-info.js'
import type { CheckedSource } from './source.js'

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
  readonly #startedAt = Date.now()
  /** As the server spells it. */
  readonly #group: string
  readonly #client: ConsumerClient
  readonly #queueRequests: QueueRequests
  readonly #routes: ReadRoutes
  readonly #membership: GroupMembership
  readonly #offsets: GroupOffsets
  readonly #queues: HeldQueues
  readonly #dispatcher: Dispatcher
  readonly #health: Health
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
    this.#client = new ConsumerClient(settings, this.#group, log)
    this.#client.listen({
      onGroupChanged: () => this.#bell.ring(),
      describe: () =>
        runningInfo(this.#queues.all, { startedAt: this.#startedAt, isOrdered: source.order !== 'none' }),
    })
    const requests = new GroupRequests(this.#client)
    this.#queueRequests = new QueueRequests(this.#client)
    this.#routes = new ReadRoutes(this.#queueRequests, log)
    const routes = this.#routes
    this.#membership = new GroupMembership({ group: this.#group, source, settings, requests, routes })
    this.#dispatcher = new Dispatcher(source.concurrency)
    this.#health = new Health(source.group, log)
    const addressOf = (queue: ReadQueue) => routes.addressOf(queue)
    const isClustering = source.mode === 'clustering'
    this.#offsets = new GroupOffsets({
      requests: this.#queueRequests,
      isShared: isClustering,
      // Whatever was sent back waits to be handled, no matter when.
      fromOf: ({ topic }) => (topic === retryTopic(this.#group) ? { at: 'earliest' } : source.from),
      addressOf,
    })
    this.#queues = new HeldQueues({
      dispatcher: this.#dispatcher,
      offsets: this.#offsets,
      locks: isClustering && source.order !== 'none' ? new QueueLocks({ requests, addressOf }) : undefined,
      open: (queue, start) => this.#pulledQueue(queue, start),
      signal: this.#stop.signal,
      log,
    })
  }

  /** Becomes a member and starts to consume. @throws RelayError with the reason why it cannot */
  async start(): Promise<void> {
    // That of the messages sent back comes with the first heartbeat.
    await this.#routes.require(this.#source.topics.map(({ topic }) => withNamespace(topic, this.#settings)))
    await this.#membership.checkExpressions()
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
        pulled.moveTo(await this.#offsets.offsetFor(to, pulled.queue))
        await this.#offsets.commit(pulled)
      }),
    )
    return held.map(({ queue }) => this.#idOf(queue))
  }

  async positions(): Promise<QueuePosition[]> {
    return Promise.all(
      this.#held().map(async ({ queue, position, isPaused }) => {
        const end = await this.#offsets.endOf(queue)
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
    this.#queues.stop()
    await this.#dispatcher.stop()
    await this.#loops
    await this.#queues.leave()
    await this.#membership.leave()
    await this.#client.close()
  }

  async #keepJoined(wasComplete: boolean): Promise<void> {
    let isComplete = wasComplete
    while (!this.#stop.signal.aborted) {
      await this.#bell.wait(isComplete ? JOIN_EVERY_MS : JOIN_AGAIN_MS)
      if (this.#stop.signal.aborted) return
      try {
        await this.#routes.renew(this.#membership.topics)
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

  /** Takes its share of the queues, as it is now. Resolves to whether nothing is missing. */
  async #join(): Promise<boolean> {
    const held = this.#queues.all.map(({ queue }) => queue)
    const { share, isComplete } = await this.#membership.join(held)
    const hasAll = await this.#queues.become(share)
    this.#applyPauses()
    return isComplete && hasAll
  }

  #pulledQueue(queue: ReadQueue, start: bigint): PulledQueue {
    const { topic } = queue
    const data = this.#membership.subscriptionTo(topic)
    return new PulledQueue({
      queue,
      start,
      data,
      filter: this.#source.topics.find((each) => withNamespace(each.topic, this.#settings) === topic)?.filter,
      pull: (of, offset) => this.#queueRequests.pull(this.#routes.addressOf(of), of, offset, data),
      hasRoom: () => this.#held().reduce((sum, { bytes }) => sum + bytes, 0) < MEMORY_BYTES,
      onAnswer: (error) => this.#onAnswer(error),
      onProgress: () => this.#onProgress(),
      log: this.#log,
      work: messageWork(queue, {
        source: this.#source,
        handle: this.#handle,
        requests: this.#queueRequests,
        group: this.#group,
        namespace: this.#settings.namespace,
        addressOf: (of) => this.#routes.addressOf(of),
        log: this.#log,
      }),
    })
  }

  async #keepCommitted(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(COMMIT_EVERY_MS, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      const outcomes = await Promise.allSettled(this.#queues.all.map((queue) => this.#offsets.commit(queue)))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) this.#health.failed(toRelayError(failed.reason))
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
    this.#queues.wake()
  }

  #applyPauses(): void {
    for (const pulled of this.#queues.all) pulled.isPaused = this.#paused.has(keyOf(pulled.queue))
  }

  /** Of the topics asked for; the queues of what was sent back are nobody's business. */
  #held(): PulledQueue[] {
    return this.#queues.all.filter(({ queue }) => queue.topic !== retryTopic(this.#group))
  }

  #idOf({ topic, broker, id }: ReadQueue): QueueId {
    return { topic: withoutNamespace(topic, this.#settings.namespace), broker, partition: id }
  }

  #keyOfId({ topic, broker = '', partition }: QueueId): string {
    return keyOf({ topic: withNamespace(topic, this.#settings), broker, id: partition })
  }
}
