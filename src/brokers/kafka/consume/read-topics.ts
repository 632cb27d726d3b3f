import { RelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { judge } from '../errors.js'
import { errorOfCode, type Metadata } from '../link.js'
import type { Nodes } from '../nodes.js'
import type { KafkaSettings } from '../settings.js'
import type { Place } from './assignment.js'

interface Layout {
  /** Node id of each partition's leader; undefined while there is none. */
  leaders: (number | undefined)[]
  /** Partitions from this one on came after this member first saw the topic. */
  newFrom: number
}

/** The topics of a consumer group, as the cluster last described them. None is created by looking. */
export class ReadTopics {
  readonly #nodes: Nodes
  readonly #settings: KafkaSettings
  readonly #log: Log
  readonly #layouts = new Map<string, Layout>()
  /** How many partitions of each topic were shared out. */
  #shared = new Map<string, number>()

  constructor(nodes: Nodes, settings: KafkaSettings, log: Log) {
    this.#nodes = nodes
    this.#settings = settings
    this.#log = log
  }

  /** 0: there is no such topic. */
  partitions(topic: string): number {
    return this.#layouts.get(topic)?.leaders.length ?? 0
  }

  leader({ topic, partition }: Place): number | undefined {
    return this.#layouts.get(topic)?.leaders[partition]
  }

  /** Whether it came after this member first looked, so that the group has passed over nothing of it. */
  isNew({ topic, partition }: Place): boolean {
    return partition >= (this.#layouts.get(topic)?.newFrom ?? 0)
  }

  /** Looks all of them up, if any. @throws RelayError with the first reason why not everything is known */
  async require(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    const [failure] = await this.#look(topics)
    if (failure) throw failure
  }

  /** Looks them up for one who shares them out: of a topic that is not there, no partition. */
  async share(topics: readonly string[]): Promise<(topic: string) => number> {
    await this.require(topics).catch((error: unknown) =>
      this.#log.debug('not all topics are known that are shared out', { error: String(error) }),
    )
    const shared = new Map(topics.map((topic) => [topic, this.partitions(topic)]))
    this.#shared = shared
    return (topic) => shared.get(topic) ?? 0
  }

  /** Whether it has other partitions than were shared out. */
  hasChanged(topic: string): boolean {
    return this.partitions(topic) !== this.#shared.get(topic)
  }

  async #look(topics: readonly string[]): Promise<RelayError[]> {
    const link = await this.#nodes.any()
    const { brokers, topicMetadata } = await link.metadata(topics, false)
    this.#nodes.learn(brokers)
    const found = new Map(topicMetadata.map((layout) => [layout.topic, layout]))
    return topics.flatMap((topic) => this.#learn(topic, found.get(topic)) ?? [])
  }

  #learn(topic: string, found: Metadata['topicMetadata'][number] | undefined): RelayError | undefined {
    if (found === undefined || found.topicErrorCode !== 0) {
      const code = found?.topicErrorCode ?? 0
      const doing = `looking up topic ${topic}`
      const { error } = judge(
        code === 0 ? new Error('the answer leaves it out') : errorOfCode(code),
        doing,
        this.#settings,
      )
      if (error.code !== 'TOPIC_UNKNOWN') return error
      // What comes under this name later is another topic, of which nothing has been passed over.
      this.#layouts.set(topic, { leaders: [], newFrom: 0 })
      return this.#unknown(topic, error)
    }
    const leaders: (number | undefined)[] = Array(found.partitionMetadata.length).fill(undefined)
    for (const { partitionId, leader } of found.partitionMetadata) {
      if (leader >= 0) leaders[partitionId] = leader
    }
    const newFrom = this.#layouts.get(topic)?.newFrom ?? leaders.length
    this.#layouts.set(topic, { leaders, newFrom })
    return undefined
  }

  #unknown(topic: string, cause: RelayError): RelayError {
    const servers = this.#settings.bootstrapServers.join(',')
    return new RelayError(
      'TOPIC_UNKNOWN',
      `topic ${topic} does not exist at Kafka ${servers}: create it or correct the name`,
      { cause },
    )
  }
}
