import { setMaxListeners } from 'node:events'
import { type RelayError, toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { endsWithin, pause } from '../../../core/time-limit.js'
import { Bell } from '../../bell.js'
import type { ConnectionContext } from '../../broker.js'
import { Health } from '../../health.js'
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
import type { KafkaClients } from '../client.js'
import { Nodes } from '../nodes.js'
import type { KafkaSettings } from '../settings.js'
import { keyOf, type Place } from './assignment.js'
import { Coordinator, type Standing } from './coordinator.js'
import { Fetcher } from './fetcher.js'
import { GroupMembership } from './group-membership.js'
import { HeldPartitions } from './held-partitions.js'
import { LogOffsets, leaderless } from './log-offsets.js'
import { messageWork } from './message-work.js'
import { ReadTopics } from './read-topics.js'
import type { CheckedSource } from './source.js'

/** How often partitions and their leaders are looked up anew. */
const LOOK_EVERY_MS = 5000
/** Between two looks, however often somebody says that things have changed. */
const LOOK_AGAIN_MS = 100
/** For the last commit and the good-bye, whatever the brokers do. */
const LEAVE_MS = 5000

/**
 * One member of a consumer group. Between two rebalances it fetches from its partitions, has the messages handled and
 * commits; in one it starts no handler, commits, joins again, and goes on with what it keeps as if nothing had been.
 */
export class KafkaMember implements Subscription {
  readonly #settings: KafkaSettings
  readonly #source: CheckedSource
  readonly #clients: KafkaClients
  readonly #log: Log
  readonly #group: GroupMembership
  readonly #topics: ReadTopics
  readonly #partitions: HeldPartitions
  readonly #fetcher: Fetcher
  readonly #dispatcher: Dispatcher
  readonly #health: Health
  /** Rung when the member has to look at its group. */
  readonly #groupBell = new Bell()
  /** Rung when partitions and leaders have to be looked up. */
  readonly #topicsBell = new Bell()
  readonly #stop = new AbortController()
  #standing: Standing = 'rebalancing'
  #isJoining = false
  /** When the coordinator last took this for a member. */
  #lastHeard = 0
  /** What commits or changes hands goes one after the other: no offset of another generation is ever committed. */
  #turn: Promise<unknown> = Promise.resolve()
  #loops: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(
    settings: KafkaSettings,
    source: CheckedSource,
    handle: MessageHandler,
    { log }: ConnectionContext,
    clients: KafkaClients,
  ) {
    this.#settings = settings
    this.#source = source
    this.#clients = clients
    this.#log = log
    // Each broker and each pause listens.
    setMaxListeners(0, this.#stop.signal)
    const nodes = new Nodes(settings, clients)
    const topics = new ReadTopics(nodes, settings, log)
    const leaderOf = (place: Place) => topics.leader(place)
    const offsets = new LogOffsets({ nodes, settings, leaderOf })
    const dispatcher = new Dispatcher(source.concurrency)
    const health = new Health(source.group, log)
    const group = new GroupMembership({
      coordinator: new Coordinator({ group: source.group, settings, clients, nodes }),
      topics: source.topics,
      settings: settings.consumer,
      partitionsOf: (ofGroup) => topics.share(ofGroup),
    })
    const onProgress = () => dispatcher.dispatch()
    const partitions = new HeldPartitions({
      ...{ source, group, topics, offsets, dispatcher, health, log, onProgress },
      onRoom: () => this.#fetcher.wake(),
      roomBytes: settings.consumer.partitionFetchBytes,
      restMs: settings.consumer.retryBackoffMs,
      workOf: (place) => messageWork(place, source, handle, log),
    })
    this.#fetcher = new Fetcher({
      ...{ settings, nodes, leaderOf, health, onProgress, signal: this.#stop.signal },
      held: () => partitions.all,
      onLost: () => this.#topicsBell.ring(),
    })
    this.#topics = topics
    this.#dispatcher = dispatcher
    this.#health = health
    this.#group = group
    this.#partitions = partitions
  }

  /** Becomes a member and starts to consume. @throws RelayError with the reason why it cannot */
  async start(): Promise<void> {
    await this.#topics.require(this.#source.topics)
    await this.#joinAtFirst()
    const failure = await this.#inTurn(() => this.#partitions.placeAll())
    // Not every broker has heard of a young topic.
    if (failure && !failure.retryable && failure.code !== 'TOPIC_UNKNOWN') throw failure
    this.#fetcher.wake()
    this.#loops = Promise.all([this.#keepJoined(), this.#keepCommitted(), this.#keepPlaced()])
  }

  pause(queues?: readonly QueueId[]): void {
    if (queues) this.#partitions.pause(queues)
    else this.#dispatcher.isPaused = true
  }

  resume(queues?: readonly QueueId[]): void {
    this.#partitions.resume(queues)
    if (!queues) this.#dispatcher.isPaused = false
  }

  async seek(to: StartPosition, queues?: readonly QueueId[]): Promise<QueueId[]> {
    const wanted = queues && new Set(queues.map(keyOf))
    return this.#inTurn(async () => {
      const moved = this.#partitions.all.filter((partition) => !wanted || wanted.has(keyOf(partition)))
      if (moved.length > 0) await this.#partitions.seek(to, moved)
      this.#fetcher.wake()
      return moved.map(({ topic, partition }) => ({ topic, partition }))
    })
  }

  /** Leaves out a partition of which it is not known yet where it begins; `status` says why. */
  async positions(): Promise<QueuePosition[]> {
    return (await this.#partitions.positions()).map((position) => ({
      ...position,
      paused: position.paused || this.#dispatcher.isPaused,
    }))
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
    // Until the handlers are done it stays a member: it must not be thrown out with their offsets uncommitted.
    await this.#dispatcher.stop()
    this.#stop.abort()
    this.#groupBell.ring()
    this.#topicsBell.ring()
    if (this.#isJoining) this.#group.cut('the subscription is closed')
    await endsWithin(this.#sayGoodBye(), LEAVE_MS)
    this.#partitions.dropAll()
    await this.#clients.close()
    await Promise.all([this.#loops, this.#fetcher.stopped()])
  }

  async #sayGoodBye(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#standing === 'member') await this.#partitions.commit()
    }).catch((error: unknown) => this.#log.debug('the last commit failed', { error: String(error) }))
    await this.#group
      .leave()
      .catch((error: unknown) => this.#log.debug('leaving the group failed', { error: String(error) }))
  }

  /** The group may be sharing out, or its coordinator be moving, just now. */
  async #joinAtFirst(): Promise<void> {
    const { rebalanceRetries, rebalanceBackoffMs } = this.#settings.consumer
    for (let retries = 0; ; retries++) {
      try {
        return await this.#inTurn(() => this.#join())
      } catch (thrown) {
        const error = toRelayError(thrown)
        if (error.code !== 'BROKER_UNAVAILABLE' || retries >= rebalanceRetries) throw error
        await pause(rebalanceBackoffMs, this.#stop.signal)
      }
    }
  }

  async #join(): Promise<void> {
    this.#isJoining = true
    // Until it has its share, what it held may be another's.
    this.#standing = 'expelled'
    try {
      const share = await this.#group.join()
      await this.#partitions.become(share)
      this.#standing = 'member'
      this.#lastHeard = performance.now()
      this.#partitions.isHeldBack = false
    } finally {
      this.#isJoining = false
    }
  }

  async #keepJoined(): Promise<void> {
    const { heartbeatIntervalMs, sessionTimeoutMs, rebalanceBackoffMs } = this.#settings.consumer
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#groupBell.wait(heartbeatIntervalMs)
      if (signal.aborted) return
      try {
        if (this.#standing === 'member') await this.#beat()
        if (this.#standing !== 'member') await this.#rejoin()
        this.#health.recovered('group')
      } catch (thrown) {
        if (signal.aborted) return
        this.#health.failed(toRelayError(thrown), 'group')
        // Its partitions may have gone to others, who must not be overtaken.
        if (performance.now() - this.#lastHeard > sessionTimeoutMs) this.#partitions.isHeldBack = true
        await pause(rebalanceBackoffMs, signal)
      }
    }
  }

  async #beat(): Promise<void> {
    const standing = await this.#group.heartbeat()
    if (standing !== 'member') {
      this.#standing = standing
      return
    }
    const wasSilent = performance.now() - this.#lastHeard > this.#settings.consumer.sessionTimeoutMs
    this.#lastHeard = performance.now()
    if (wasSilent && this.#standing === 'member') this.#partitions.isHeldBack = false
  }

  /** Starts no handler, lets those under way end and commits them, then takes its share anew. */
  async #rejoin(): Promise<void> {
    const { rebalanceTimeoutMs } = this.#settings.consumer
    const prepared = new AbortController()
    this.#partitions.isHeldBack = true
    const rejoined = this.#inTurn(async () => {
      try {
        // One that was thrown out has nothing to hand over in good order.
        if (this.#standing === 'rebalancing') {
          await endsWithin(this.#partitions.idle(), Math.min(rebalanceTimeoutMs / 2, CLOSE_BUDGET_MS))
          await this.#partitions.commit()
        }
      } catch (error) {
        // What is not committed comes again.
        this.#log.debug('the commit before a rebalance failed', { error: String(error) })
      } finally {
        prepared.abort()
      }
      if (!this.#stop.signal.aborted) await this.#join()
    })
    await Promise.all([rejoined, this.#beatUntil(prepared.signal)])
    this.#fetcher.wake()
    this.#topicsBell.ring()
  }

  /** Stays a member while a handler takes its time. */
  async #beatUntil(over: AbortSignal): Promise<void> {
    for (;;) {
      await pause(this.#settings.consumer.heartbeatIntervalMs, over)
      if (over.aborted) return
      await this.#group.heartbeat().catch(() => undefined)
    }
  }

  async #keepCommitted(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(this.#settings.consumer.autoCommitIntervalMs, signal)
      if (signal.aborted) return
      try {
        const error = await this.#inTurn(() => this.#commit())
        if (error) throw error
        this.#health.recovered('commit')
      } catch (thrown) {
        if (!signal.aborted) this.#health.failed(toRelayError(thrown), 'commit')
      }
    }
  }

  async #commit(): Promise<RelayError | undefined> {
    if (this.#standing !== 'member' || this.#stop.signal.aborted) return undefined
    const { standing, error } = await this.#partitions.commit()
    if (standing !== 'member') this.#changed(standing)
    return error
  }

  /** Follows topics and leaders as they change, and finds where to begin where that is not known yet. */
  async #keepPlaced(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#topicsBell.wait(LOOK_EVERY_MS)
      if (signal.aborted) return
      try {
        await this.#look()
        this.#health.recovered('topics')
      } catch (thrown) {
        if (!signal.aborted) this.#health.failed(toRelayError(thrown), 'topics')
      }
      this.#fetcher.wake()
      await pause(LOOK_AGAIN_MS, signal)
    }
  }

  async #look(): Promise<void> {
    const { topics } = this.#source
    const { ledTopics } = this.#group
    const known = this.#topics.require(topics)
    const others = this.#topics.require(ledTopics.filter((topic) => !topics.includes(topic)))
    await Promise.allSettled([known, others])
    if (ledTopics.some((topic) => this.#topics.hasChanged(topic))) this.#changed('rebalancing')
    for (const partition of this.#partitions.all) {
      if (this.#topics.leader(partition) !== undefined) continue
      this.#health.failed(leaderless(partition), keyOf(partition))
    }
    await this.#inTurn(async () => {
      if (this.#standing === 'member' && !this.#stop.signal.aborted) await this.#partitions.placeAll()
    })
    await known
  }

  #changed(standing: Standing): void {
    if (this.#standing !== 'member') return
    this.#standing = standing
    this.#groupBell.ring()
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const acted = this.#turn.then(act)
    this.#turn = acted.catch(() => undefined)
    return acted
  }
}
