import type { AdapterConsumer, AdapterDirectory } from '../adapters/directory.js'
import { Bell } from '../brokers/bell.js'
import type { Subscription } from '../brokers/subscription.js'
import { type RelayError, toRelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { Deliveries, eitherOf } from './deliveries.js'
import type { TriggerHandler } from './run-trigger.js'
import type { Trigger } from './trigger.js'
import { listTopics, sourceKey, sourceOf, topicsOf } from './trigger-source.js'
import type { TriggerStatus } from './trigger-status.js'
import { topicWarnings } from './warnings.js'

/** How often topics of a pattern are looked for, and everything is looked at for want of a reason. */
const LOOK_AGAIN_MS = 30_000
const FIRST_RETRY_MS = 1000
/** While the group's offsets are still to be moved. */
const MOVES_RETRY_MS = 1000

export interface MemberContext {
  directory: AdapterDirectory
  handler: Pick<TriggerHandler, 'handle'>
  /**
   * Makes the moves that are still to be made. @returns false while it cannot, or another worker does
   * @throws RelayError why not
   */
  makeMoves(trigger: Trigger, consumer: AdapterConsumer, topics: readonly string[]): Promise<boolean>
  log: Log
}

/** A subscription, and what it was made of. */
interface Joined {
  key: string
  topics: readonly string[]
  subscription: Subscription
  /** Aborted: what waits for servers that are away is left to its redelivery. */
  leaving: AbortController
  isPaused: boolean
}

/** One trigger in this worker: keeps it subscribed as it is wanted, whatever changes and fails. */
export class TriggerMember {
  readonly #context: MemberContext
  readonly #stopping = new AbortController()
  readonly #deliveries: Deliveries
  readonly #bell = new Bell()
  readonly #run: Promise<void>
  #log: Log
  #trigger: Trigger
  #joined: Joined | undefined
  /** While it is not subscribed. */
  #idle: Pick<TriggerStatus, 'state' | 'reason'> = { state: 'waiting', reason: 'it has just begun' }
  #lag: Pick<TriggerStatus, 'queues' | 'lag'> = { queues: 0, lag: {} }
  #failures = 0
  #lastFailure: string | undefined
  /** `performance.now()` since which it has been trying to be where it is wanted. */
  #triedSince = performance.now()
  #warned: ReadonlySet<string> = new Set()

  constructor(trigger: Trigger, context: MemberContext) {
    this.#trigger = trigger
    this.#context = context
    this.#log = context.log.child({ trigger: trigger.name })
    this.#deliveries = new Deliveries({
      trigger: () => this.#trigger,
      handler: context.handler,
      onChange: () => this.#pauseOrResume(),
      log: this.#log,
    })
    this.#run = this.#keep()
  }

  /** Takes over a trigger as it is now, or looks at everything again. */
  update(trigger: Trigger): void {
    if (trigger.name !== this.#trigger.name) this.#log = this.#context.log.child({ trigger: trigger.name })
    this.#trigger = trigger
    this.#bell.ring()
  }

  status(): TriggerStatus {
    const joined = this.#joined
    if (!joined) {
      const { state, reason } = this.#idle
      const pollAgeMs = state === 'failing' ? performance.now() - this.#triedSince : null
      return { state, reason, topics: [], handling: this.#deliveries.acknowledged, pollAgeMs, ...NONE }
    }
    const { error, lastPollAt, handling } = joined.subscription.status()
    const { heldBy, waitFor, acknowledged } = this.#deliveries
    const isPaused = this.#trigger.state === 'paused'
    const askedMs = performance.now() - this.#triedSince
    const pollAgeMs = lastPollAt === undefined ? askedMs : Math.max(0, Date.now() - lastPollAt)
    return {
      state: isPaused ? 'paused' : heldBy ? 'held' : 'consuming',
      reason: (heldBy ?? error ?? waitFor)?.message ?? null,
      topics: [...joined.topics],
      handling: handling + acknowledged,
      pollAgeMs: joined.isPaused ? null : pollAgeMs,
      ...this.#lag,
    }
  }

  /** Asks how far behind it is. @throws RelayError */
  async measure(): Promise<void> {
    const positions = await this.#joined?.subscription.positions()
    if (!positions) return
    const lag: Record<string, number> = {}
    for (const { topic, lag: behind } of positions) lag[topic] = (lag[topic] ?? 0) + Number(behind)
    this.#lag = { queues: positions.length, lag }
  }

  /** Leaves the group. Never rejects. */
  async close(): Promise<void> {
    this.#stopping.abort()
    this.#bell.ring()
    await this.#run
  }

  async #keep(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const restMs = await this.#settle().catch((thrown: unknown) => this.#fail(toRelayError(thrown)))
      await this.#bell.wait(restMs)
    }
    await Promise.all([this.#leave(), this.#deliveries.end()])
  }

  /** Brings about what is wanted now. @returns when to look again, milliseconds from now */
  async #settle(): Promise<number> {
    const trigger = this.#trigger
    const consumer = await this.#consumer(trigger)
    if (!consumer) return LOOK_AGAIN_MS
    const topics = await topicsOf(trigger, consumer)
    if (topics.length === 0) {
      await this.#wait(`no topic matches ${trigger.topicPattern}`)
      return LOOK_AGAIN_MS
    }
    if (trigger.pendingMoves.length > 0) {
      await this.#wait('the offsets of its group are being moved')
      await this.#context.makeMoves(trigger, consumer, topics)
      return MOVES_RETRY_MS
    }
    await this.#join(trigger, consumer, topics)
    this.#failures = 0
    this.#lastFailure = undefined
    return LOOK_AGAIN_MS
  }

  /** Undefined while the adapter cannot be used. */
  async #consumer(trigger: Trigger): Promise<AdapterConsumer | undefined> {
    const { directory } = this.#context
    try {
      return directory.consumer(await directory.named(trigger.adapterId))
    } catch (thrown) {
      const error = toRelayError(thrown)
      if (error.code === 'DATABASE_AWAY') throw error
      await this.#wait(error.message)
      return undefined
    }
  }

  async #join(trigger: Trigger, consumer: AdapterConsumer, topics: readonly string[]): Promise<void> {
    const source = sourceOf(trigger, topics, this.#deliveries.redeliveryDelayMs)
    const key = sourceKey(consumer, source)
    if (this.#joined?.key !== key) {
      await this.#leave()
      const leaving = new AbortController()
      const signalOf = eitherOf(leaving.signal)
      const subscription = await consumer.subscribe(source, (messages, isGivenUp) =>
        this.#deliveries.handle(messages, signalOf(isGivenUp)),
      )
      this.#joined = { key, topics, subscription, leaving, isPaused: false }
      this.#pauseOrResume()
      this.#log.info('consuming', { group: source.group, topics })
      if (trigger.acknowledge === 'received')
        this.#log.warn('messages are acknowledged when they are received: those in hand at a crash are lost')
      await this.#warn(trigger, topics, consumer)
    }
    this.#pauseOrResume()
  }

  async #wait(reason: string): Promise<void> {
    await this.#leave()
    this.#idle = { state: 'waiting', reason }
    this.#triedSince = performance.now()
  }

  async #leave(): Promise<void> {
    const joined = this.#joined
    if (!joined) return
    this.#joined = undefined
    this.#lag = NONE
    this.#triedSince = performance.now()
    joined.leaving.abort()
    await joined.subscription.close()
  }

  /** Where it has joined it stays so: what failed was to look at something again. */
  #fail(error: RelayError): number {
    const { message: reason, code } = error
    const isNews = this.#lastFailure !== reason && !this.#stopping.signal.aborted
    if (isNews) this.#log.warn('a trigger cannot consume', { code, reason })
    this.#lastFailure = reason
    this.#idle = { state: 'failing', reason }
    this.#failures += 1
    return Math.min(LOOK_AGAIN_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1))
  }

  #pauseOrResume(): void {
    const joined = this.#joined
    if (!joined) return
    const isPaused = this.#trigger.state !== 'running' || this.#deliveries.heldBy !== undefined
    if (isPaused === joined.isPaused) return
    joined.isPaused = isPaused
    if (isPaused) joined.subscription.pause()
    else joined.subscription.resume()
  }

  /** Of what it is to be told about the topics; each once. */
  async #warn(trigger: Trigger, topics: readonly string[], consumer: AdapterConsumer): Promise<void> {
    if (trigger.concurrency === null) return
    // Who may read a topic need not be allowed to list them.
    const all = await listTopics(consumer).catch(() => [])
    const known = all.filter(({ topic }) => topics.includes(topic))
    const warnings = topicWarnings(
      { ...trigger, topics: known.map(({ topic }) => topic) },
      new Map(
        known.map((summary) => [summary.topic, 'queues' in summary ? summary.queues : summary.partitions]),
      ),
    )
    for (const warning of warnings) if (!this.#warned.has(warning)) this.#log.warn(warning)
    this.#warned = new Set(warnings)
  }
}

const NONE: Pick<TriggerStatus, 'queues' | 'lag'> = { queues: 0, lag: {} }
