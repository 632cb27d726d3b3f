import kafkajs, { type Admin } from 'kafkajs'
import { RelayError } from '../../core/errors.js'
import { pause, withTimeLimit } from '../../core/time-limit.js'
import type { KafkaClient } from './client.js'
import { judge } from './errors.js'
import type { KafkaSettings } from './settings.js'

/** Age at which a partition count is looked up again, so that added partitions are noticed. */
const FRESH_MS = 30_000
/** Longest wait for a topic the broker is creating on demand. */
const CREATION_MS = 3000
/** Topics remembered as missing; only a bound for memory. */
const MISSING_MAX = 1000

interface Session {
  client: KafkaClient
  admin: Admin
}

/** What the cluster says about its topics, cached; one connection of its own, opened when first needed. */
export class Topics {
  readonly #settings: KafkaSettings
  readonly #open: () => KafkaClient
  readonly #partitions = new Map<string, { count: number; at: number }>()
  readonly #lookups = new Map<string, Promise<number>>()
  /** Topics that did not appear when asked for: not waited for again. */
  readonly #missing = new Set<string>()
  #session: Promise<Session> | undefined

  constructor(settings: KafkaSettings, open: () => KafkaClient) {
    this.#settings = settings
    this.#open = open
  }

  /** Number of partitions as last heard; refreshed in the background when old. */
  partitions(topic: string): number | undefined {
    const known = this.#partitions.get(topic)
    if (known === undefined) return undefined
    if (performance.now() - known.at > FRESH_MS) {
      known.at = performance.now()
      this.lookup(topic).catch((error: unknown) => {
        if (error instanceof RelayError && !error.retryable) this.#partitions.delete(topic)
      })
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
      const { resources } = await this.#ask('reading the settings of a topic', (admin) =>
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
    await this.#ask('reading the metadata of the cluster', (admin) => admin.describeCluster())
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined)
    this.#session = undefined
    session?.client.cut('closed')
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
        if (!(error instanceof RelayError) || !mayBeComing(error)) throw error
        if (this.#missing.has(topic) ? attempt > 0 : performance.now() > giveUpAt) {
          if (this.#missing.size >= MISSING_MAX) this.#missing.clear()
          this.#missing.add(topic)
          throw error
        }
        if (attempt === 0) await this.#create(topic)
        else await pause(Math.min(50 * 2 ** attempt, 500))
      }
    }
  }

  async #count(topic: string): Promise<number> {
    const { topics } = await this.#ask(`looking up topic ${topic}`, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    )
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0
    if (count > 0) return count
    throw new RelayError('BROKER_UNAVAILABLE', `Kafka named no partitions of topic ${topic}`)
  }

  /** kafkajs's admin client never creates topics by asking; a producer does, and an empty send does nothing else. */
  async #create(topic: string): Promise<void> {
    const client = this.#open()
    const producer = client.kafka.producer({
      allowAutoTopicCreation: true,
      retry: { retries: 0 },
      createPartitioner: () => () => 0,
    })
    const creation = producer.connect().then(() => producer.send({ topic, messages: [] }))
    // The answer says "unknown" while the topic is being created, and for ever where it is not: looking again tells.
    await withTimeLimit(creation, this.#limitMs, () => new Error('no answer')).catch(() => undefined)
    client.cut('closed')
  }

  async #ask<T>(doing: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const { requestTimeoutMs, bootstrapServers } = this.#settings
    const asked = this.#session ?? this.#connect()
    this.#session = asked
    try {
      const { admin } = await asked
      return await withTimeLimit(question(admin), this.#limitMs, () => {
        return new RelayError(
          'BROKER_TIMEOUT',
          `Kafka at ${bootstrapServers.join(',')} did not answer within ${requestTimeoutMs} ms while ${doing}`,
        )
      })
    } catch (thrown) {
      // fetchTopicMetadata loses the reason of a failed second request and stumbles over the missing answer.
      const { error } =
        thrown instanceof TypeError
          ? { error: new RelayError('BROKER_UNAVAILABLE', `Kafka failed while ${doing}`, { cause: thrown }) }
          : judge(thrown, doing, bootstrapServers)
      if (error.retryable && this.#session === asked) {
        this.#session = undefined
        asked.then(
          ({ client }) => client.cut('given up after a failed request'),
          () => undefined,
        )
      }
      throw error
    }
  }

  async #connect(): Promise<Session> {
    const client = this.#open()
    const admin = client.kafka.admin()
    try {
      await withTimeLimit(admin.connect(), this.#limitMs, () => unanswered(this.#settings))
      return { client, admin }
    } catch (error) {
      client.cut('given up')
      throw error
    }
  }

  get #limitMs(): number {
    return this.#settings.connectionTimeoutMs + this.#settings.requestTimeoutMs
  }
}

export function unanswered({ bootstrapServers }: KafkaSettings): RelayError {
  return new RelayError(
    'BROKER_TIMEOUT',
    `Kafka at ${bootstrapServers.join(',')} accepts connections but does not answer`,
  )
}

function mayBeComing(error: RelayError): boolean {
  return error.code === 'TOPIC_UNKNOWN' || error.code === 'BROKER_UNAVAILABLE'
}
