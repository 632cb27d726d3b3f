import kafkajs, { type ConfigEntries } from 'kafkajs'
import type Broker from 'kafkajs/src/broker/index.js'
import type { Definition, ProtocolCall, RequestName } from 'kafkajs/src/broker/index.js'
import type ConnectionPool from 'kafkajs/src/network/connectionPool.js'
import errors from 'kafkajs/src/protocol/error.js'
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js'
import protocol from 'kafkajs/src/protocol/requests/index.js'
import { type Static, type TSchema, Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { withTimeLimit } from '../../core/time-limit.js'
import { judge, unanswered } from './errors.js'
import type { KafkaSettings } from './settings.js'

const { ConfigResourceTypes } = kafkajs

const Metadata = Type.Object({
  brokers: Type.Array(Type.Object({ nodeId: Type.Integer(), host: Type.String(), port: Type.Integer() })),
  topicMetadata: Type.Array(
    Type.Object({
      topicErrorCode: Type.Integer(),
      topic: Type.String(),
      partitionMetadata: Type.Array(
        Type.Object({
          partitionErrorCode: Type.Integer(),
          partitionId: Type.Integer(),
          /** -1: none. */
          leader: Type.Integer(),
          replicas: Type.Array(Type.Integer()),
          isr: Type.Array(Type.Integer()),
        }),
      ),
    }),
  ),
})
export type Metadata = Static<typeof Metadata>

const PartitionAnswer = Type.Object({
  partition: Type.Integer(),
  errorCode: Type.Integer(),
  baseOffset: Type.String(),
  logAppendTime: Type.String(),
})
/** What a broker says of one batch; `errorCode` 0: it took it. */
export type PartitionAnswer = Static<typeof PartitionAnswer>

const ProduceAnswer = Type.Object({
  topics: Type.Array(Type.Object({ topicName: Type.String(), partitions: Type.Array(PartitionAnswer) })),
})
export type ProduceAnswer = Static<typeof ProduceAnswer>

export interface FetchAnswer {
  version: number
  bytes: Buffer
}

const isMetadata = Compile(Metadata)
const isProduceAnswer = Compile(ProduceAnswer)

const NO_BYTES = Buffer.alloc(0)

/** Longest a broker may keep an unfinished transaction of an id; without one it has no meaning. */
const TRANSACTION_TIMEOUT_MS = 60_000

/** A request whose answer is read in one form, whichever version both sides know. */
export interface Question<Schema extends TSchema> {
  name: RequestName
  answer: Validator<Record<string, never>, Schema>
}

/** The error kafkajs has for a code of the protocol. */
export const errorOfCode = errors.createErrorFromCode

/**
 * One connection to one broker. kafkajs turns the answer to a request for many partitions into the first error in it;
 * here the answer itself comes back, with what became of each.
 */
export class Link {
  readonly address: string
  readonly #broker: Broker
  readonly #connections: ConnectionPool
  readonly #cut: (reason: string) => void
  readonly #settings: KafkaSettings
  #connecting: Promise<void> | undefined
  #isBroken = false

  constructor(
    address: string,
    broker: Broker,
    connections: ConnectionPool,
    cut: (reason: string) => void,
    settings: KafkaSettings,
  ) {
    this.address = address
    this.#broker = broker
    this.#connections = connections
    this.#cut = cut
    this.#settings = settings
  }

  /** False when its connection is lost, or its login has run out: another one has to take its place. */
  get isUsable(): boolean {
    return !this.#isBroken && (this.#connecting !== undefined || this.#broker.isConnected())
  }

  /** Connects and logs in; all who wait share one attempt. @throws RelayError */
  async connect(): Promise<void> {
    if (this.#connecting === undefined && this.#broker.isConnected()) return
    this.#connecting ??= this.#connect()
    try {
      await this.#connecting
    } finally {
      this.#connecting = undefined
    }
  }

  /** Ends it: what waits for an answer fails, giving `reason`. */
  cut(reason: string): void {
    this.#isBroken = true
    this.#cut(reason)
  }

  async producerId(): Promise<bigint> {
    const { producerId } = await this.#asking('asking for a producer id', () =>
      this.#broker.initProducerId({ transactionTimeout: TRANSACTION_TIMEOUT_MS }),
    )
    return BigInt(producerId)
  }

  /** All configs of a topic, or those named. @throws RelayError */
  async topicConfigs(topic: string, configNames?: string[]): Promise<ConfigEntries[]> {
    const { resources } = await this.#asking(`reading the configs of topic ${topic}`, () =>
      this.#broker.describeConfigs({
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, ...(configNames && { configNames }) }],
      }),
    )
    return resources.flatMap(({ configEntries }) => configEntries)
  }

  /**
   * @param topics none: all there are
   * @param create whether the broker may create topics that do not exist, where it does so on demand
   */
  metadata(topics: readonly string[], create: boolean): Promise<Metadata> {
    return this.#asking(
      topics.length === 1 ? `looking up topic ${topics[0]}` : 'looking up topics',
      async () => {
        const call = this.#call('Metadata', { topics, allowAutoTopicCreation: create })
        const answer = await this.#connections.send(call)
        if (isMetadata.Check(answer)) return answer
        throw notUnderstood('metadata')
      },
    )
  }

  /**
   * @param body of a produce request of version 3 to 7, whose bodies are alike
   * @returns undefined when no answer was asked for
   * @throws what kafkajs throws; then it is not known what the broker took
   */
  async produce(body: Buffer, isAnswered: boolean): Promise<ProduceAnswer | undefined> {
    const call = this.#call('Produce', { topicData: [] })
    const { apiKey, apiVersion, apiName } = call.request
    const request = {
      apiKey,
      apiVersion,
      apiName,
      expectResponse: () => isAnswered,
      encode: async () => ({ buf: body, buffer: body }),
    }
    const answer = await this.#connections.send({ ...call, request })
    if (!isAnswered) return undefined
    if (isProduceAnswer.Check(answer)) return answer
    throw notUnderstood('produce')
  }

  /**
   * Asks, and gives the answer as it is: what it says of its parts is the caller's to judge.
   * @param doing completes the sentence "Kafka at … failed while …"
   * @param limitMs how long the answer may take; default: the request timeout
   * @throws RelayError when there is no answer; the connection is then cut
   */
  ask<Schema extends TSchema>(
    { name, answer }: Question<Schema>,
    fields: object,
    doing: string,
    limitMs?: number,
  ): Promise<Static<Schema>> {
    return this.#asking(doing, async () => {
      const found = await this.#connections.send({ ...this.#call(name, fields), requestTimeout: limitMs })
      if (answer.Check(found)) return found
      throw notUnderstood(name)
    })
  }

  /** The bytes of the answer to a fetch request, and its version. @throws RelayError; the connection is then cut */
  fetch(fields: object, doing: string): Promise<FetchAnswer> {
    return this.#asking(doing, async () => {
      const { request } = this.#call('Fetch', fields)
      let answer: Buffer = NO_BYTES
      const response = {
        // Not through the decoder of kafkajs: see docs/adr/0015-own-kafka-consumer.md.
        decode: async (bytes: Buffer) => {
          answer = bytes
          return {}
        },
        parse: async () => undefined,
      }
      await this.#connections.send({ request, response })
      return { version: request.apiVersion, bytes: answer }
    })
  }

  async #connect(): Promise<void> {
    const { connectionTimeoutMs, requestTimeoutMs } = this.#settings
    await this.#asking('connecting', () =>
      withTimeLimit(this.#broker.connect(), connectionTimeoutMs + requestTimeoutMs, () =>
        unanswered('connecting', [this.address]),
      ),
    )
  }

  #call(name: RequestName, fields: object): ProtocolCall {
    const definition: Definition = protocol.requests[name]
    const { request, response } = this.#broker.lookupRequest(apiKeys[name], definition)(fields)
    return { request, response: { decode: response.decode, parse: async (answer) => answer } }
  }

  /** Cuts the connection when the question fails. @throws RelayError */
  async #asking<T>(doing: string, question: () => Promise<T>): Promise<T> {
    try {
      return await question()
    } catch (error) {
      this.cut('given up, as an earlier request failed')
      throw judge(error, doing, this.#settings).error
    }
  }
}

function notUnderstood(what: string): Error {
  return new Error(`the answer to a ${what} request is not what the protocol says`)
}
