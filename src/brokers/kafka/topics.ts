import kafkajs from 'kafkajs'
import { type ErrorCode, RelayError } from '../../core/errors.js'
import { pause, withTimeLimit } from '../../core/time-limit.js'
import { AdminSession } from './admin-session.js'
import type { KafkaClients } from './client.js'
import type { KafkaSettings } from './settings.js'

/** Age at which a partition count is looked up again, so that added partitions are noticed. */
const FRESH_MS = 30_000
/** Longest wait for a topic the broker is creating on demand. */
const CREATION_MS = 3000
/** What may be said of a topic that is just being created. */
const MAY_PASS: ReadonlySet<ErrorCode> = new Set(['TOPIC_UNKNOWN', 'BROKER_UNAVAILABLE'])
/** Topics remembered as missing; only a bound for memory. */
const MISSING_MAX = 1000

/** What the cluster says about its topics, cached; one connection of its own, opened when first needed. */
export class Topics {
  readonly #settings: KafkaSettings
  readonly #clients: KafkaClients
  readonly #admin: AdminSession
  readonly #partitions = new Map<string, { count: number; at: number }>()
  readonly #lookups = new Map<string, Promise<number>>()
  /** Topics that did not appear when asked for: not waited for again. */
  readonly #missing = new Set<string>()

  constructor(settings: KafkaSettings, clients: KafkaClients) {
    this.#settings = settings
    this.#clients = clients
    this.#admin = new AdminSession(settings, clients)
  }

  /** Number of partitions as last heard; refreshed in the background when old. */
  partitions(topic: string): number | undefined {
    const known = this.#partitions.get(topic)
    if (known === undefined) return undefined
    if (performance.now() - known.at > FRESH_MS) {
      known.at = performance.now()
      this.lookup(topic).catch(() => undefined)
    }
    return known.count
  }

  /**
   * Asks the cluster for the number of partitions, one question a topic at a time. A missing topic is created where
   * the cluster creates topics on demand.
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
    const configNames = ['max.message.bytes']
    try {
      const { resources } = await this.#admin.ask('reading the settings of a topic', (admin) =>
        admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }],
        }),
      )
      return resources[0]?.configEntries[0]?.configValue
    } catch {
      return undefined
    }
  }

  /** Connects, logs in and reads the cluster's metadata. @throws RelayError */
  async check(): Promise<void> {
    await this.#admin.ask('reading the metadata of the cluster', (admin) => admin.describeCluster())
  }

  async #lookup(topic: string): Promise<number> {
    const giveUpAt = performance.now() + Math.min(CREATION_MS, this.#settings.requestTimeoutMs)
    for (let attempt = 0; ; attempt++) {
      try {
        const count = await this.#count(topic)
        this.#partitions.set(topic, { count, at: performance.now() })
        this.#missing.delete(topic)
        return count
      } catch (error) {
        if (!(error instanceof RelayError && MAY_PASS.has(error.code))) throw error
        const isLast = this.#missing.has(topic) ? attempt > 0 : performance.now() > giveUpAt
        if (isLast) throw error.code === 'TOPIC_UNKNOWN' ? this.#unknown(topic, error) : error
        if (attempt === 0 && error.code === 'TOPIC_UNKNOWN') await this.#create(topic)
        else await pause(Math.min(50 * 2 ** attempt, 500))
      }
    }
  }

  #unknown(topic: string, cause: RelayError): RelayError {
    if (this.#missing.size >= MISSING_MAX) this.#missing.clear()
    this.#missing.add(topic)
    this.#partitions.delete(topic)
    const servers = this.#settings.bootstrapServers.join(',')
    return new RelayError(
      'TOPIC_UNKNOWN',
      `topic ${topic} does not exist at Kafka ${servers}, which does not make topics on demand: create it or correct the name`,
      { cause },
    )
  }

  async #count(topic: string): Promise<number> {
    const { topics } = await this.#admin.ask(`looking up topic ${topic}`, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    )
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0
    if (count > 0) return count
    throw new RelayError('BROKER_UNAVAILABLE', `Kafka named no partitions of topic ${topic}`)
  }

  /** kafkajs's admin client never creates topics by asking; a producer does, and an empty send does nothing else. */
  async #create(topic: string): Promise<void> {
    const client = this.#clients.open()
    const producer = client.kafka.producer({
      allowAutoTopicCreation: true,
      retry: { retries: 0 },
      createPartitioner: () => () => 0,
    })
    const creation = producer.connect().then(() => producer.send({ topic, messages: [] }))
    // The answer says "unknown" while the topic is being created, and for ever where it is not: looking again tells.
    await withTimeLimit(creation, this.#admin.limitMs, () => new Error('no answer')).catch(() => undefined)
    client.cut('closed')
  }
}
