import { batching } from '../../core/batching.js'
import { type ErrorCode, RelayError } from '../../core/errors.js'
import { pause } from '../../core/time-limit.js'
import { judge } from './errors.js'
import { errorOfCode, type Metadata } from './link.js'
import type { Nodes } from './nodes.js'
import type { KafkaSettings } from './settings.js'

/** Age at which a topic is looked up again, so that added partitions are noticed. */
const FRESH_MS = 30_000
/** Longest wait for a topic the broker is creating on demand. */
const CREATION_MS = 3000
/** What may be said of a topic that is just being created. */
const MAY_PASS: ReadonlySet<ErrorCode> = new Set(['TOPIC_UNKNOWN', 'BROKER_UNAVAILABLE'])
/** Topics remembered as missing; only a bound for memory. */
const MISSING_MAX = 1000
/** Topics asked for in one request. */
const QUESTION_MAX = 500

interface Layout {
  /** Node id of each partition's leader; undefined while there is none. */
  leaders: (number | undefined)[]
  at: number
}

/** What the cluster says about its topics, cached. */
export class Topics {
  readonly #settings: KafkaSettings
  readonly #nodes: Nodes
  readonly #layouts = new Map<string, Layout>()
  readonly #lookups = new Map<string, Promise<number>>()
  /** Topics that did not appear when asked for: not waited for again. */
  readonly #missing = new Set<string>()
  readonly #question = batching(QUESTION_MAX, (topics: string[]) => this.#ask(topics, false))
  readonly #creation = batching(QUESTION_MAX, (topics: string[]) => this.#ask(topics, true))

  constructor(settings: KafkaSettings, nodes: Nodes) {
    this.#settings = settings
    this.#nodes = nodes
  }

  /** Number of partitions as last heard; refreshed in the background when old. */
  partitions(topic: string): number | undefined {
    const layout = this.#layouts.get(topic)
    if (layout === undefined) return undefined
    if (performance.now() - layout.at > FRESH_MS) {
      layout.at = performance.now()
      void this.#question.add(topic).catch(() => undefined)
    }
    return layout.leaders.length
  }

  /** Node id of a partition's leader as last heard. */
  leader(topic: string, partition: number): number | undefined {
    return this.#layouts.get(topic)?.leaders[partition]
  }

  /**
   * Asks the cluster for the partitions of a topic and their leaders, one question a topic at a time. A missing topic
   * is created where the cluster creates topics on demand.
   * @returns the number of partitions
   * @throws RelayError
   */
  lookup(topic: string): Promise<number> {
    const running = this.#lookups.get(topic)
    if (running) return running
    const lookup = this.#lookup(topic).finally(() => this.#lookups.delete(topic))
    this.#lookups.set(topic, lookup)
    return lookup
  }

  /** The topic's `max.message.bytes`, if this client may read it. */
  async messageLimit(topic: string): Promise<string | undefined> {
    try {
      const link = await this.#nodes.any()
      const [limit] = await link.topicConfigs(topic, ['max.message.bytes'])
      return limit?.configValue
    } catch {
      return undefined
    }
  }

  /** Connects, logs in and reads the cluster's metadata. @throws RelayError */
  async check(): Promise<void> {
    const link = await this.#nodes.any()
    await link.metadata([], false)
  }

  async #lookup(topic: string): Promise<number> {
    const giveUpAt = performance.now() + Math.min(CREATION_MS, this.#settings.requestTimeoutMs)
    let question = this.#question
    for (let attempt = 0; ; attempt++) {
      try {
        const count = await question.add(topic)
        this.#missing.delete(topic)
        return count
      } catch (error) {
        if (!(error instanceof RelayError && MAY_PASS.has(error.code))) throw error
        const isLast = this.#missing.has(topic) ? attempt > 0 : performance.now() > giveUpAt
        if (isLast) throw error.code === 'TOPIC_UNKNOWN' ? this.#unknown(topic, error) : error
        if (attempt > 0) await pause(Math.min(25 * 2 ** attempt, 500))
        // Not at first: what asks for a topic in the background must not bring back one that was deleted.
        if (error.code === 'TOPIC_UNKNOWN') question = this.#creation
      }
    }
  }

  #unknown(topic: string, cause: RelayError): RelayError {
    if (this.#missing.size >= MISSING_MAX) this.#missing.clear()
    this.#missing.add(topic)
    this.#layouts.delete(topic)
    const servers = this.#settings.bootstrapServers.join(',')
    return new RelayError(
      'TOPIC_UNKNOWN',
      `topic ${topic} does not exist at Kafka ${servers}, which does not make topics on demand: create it or correct the name`,
      { cause },
    )
  }

  async #ask(topics: string[], create: boolean) {
    const link = await this.#nodes.any()
    const { brokers, topicMetadata } = await link.metadata(topics, create)
    this.#nodes.learn(brokers)
    const byName = new Map(topicMetadata.map((found) => [found.topic, found]))
    return topics.map((topic) => this.#learn(topic, byName.get(topic)))
  }

  #learn(topic: string, found: Metadata['topicMetadata'][number] | undefined) {
    if (found === undefined || found.topicErrorCode !== 0) {
      const reason =
        found === undefined
          ? new RelayError('BROKER_UNAVAILABLE', `Kafka's answer leaves out topic ${topic}`)
          : judge(errorOfCode(found.topicErrorCode), `looking up topic ${topic}`, this.#settings).error
      return { ok: false as const, error: reason }
    }
    const leaders: (number | undefined)[] = Array(found.partitionMetadata.length).fill(undefined)
    for (const { partitionId, leader } of found.partitionMetadata) {
      if (leader >= 0) leaders[partitionId] = leader
    }
    if (leaders.length === 0) {
      const error = new RelayError('BROKER_UNAVAILABLE', `Kafka named no partitions of topic ${topic}`)
      return { ok: false as const, error }
    }
    this.#layouts.set(topic, { leaders, at: performance.now() })
    return { ok: true as const, value: leaders.length }
  }
}
