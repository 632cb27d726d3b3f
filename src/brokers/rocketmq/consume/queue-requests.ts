import type RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { Type } from 'typebox'
import { RelayError } from '../../../core/errors.js'
import { type ConsumerClient, headerOf } from './consumer-client.js'
import type { SubscriptionData } from './filter.js'
import { decodeMessages, type StoredMessage } from './stored-message.js'

/** A queue as messages are read from it. */
export interface ReadQueue {
  /** As the server spells it, its namespace included. */
  topic: string
  broker: string
  id: number
}

/** The brokers of one topic. */
export interface ReadRoute {
  /** Readable ones, sorted as all members of a group have them. */
  queues: ReadQueue[]
  /** All brokers, slaves included. */
  addresses: string[]
  /** Where to read, by broker: its master, or a slave while it has none. */
  addressOf: Map<string, string>
}

export type Pulled =
  | { status: 'found'; messages: StoredMessage[]; next: bigint }
  /** Nothing that the filter lets through. */
  | { status: 'nothing'; next: bigint }
  /** The offset asked for is not in the queue, or somebody has reset it. */
  | { status: 'moved'; next: bigint }

const CODE = {
  PULL_MESSAGE: 11,
  QUERY_CONSUMER_OFFSET: 14,
  UPDATE_CONSUMER_OFFSET: 15,
  SEARCH_OFFSET_BY_TIMESTAMP: 29,
  GET_MAX_OFFSET: 30,
  GET_MIN_OFFSET: 31,
  CONSUMER_SEND_MSG_BACK: 36,
  GET_ALL_CONSUMER_OFFSET: 43,
} as const

const ANSWER = { OK: 0, NOT_FOUND: 19, RETRY_IMMEDIATELY: 20, OFFSET_MOVED: 21, QUERY_NOT_FOUND: 22 } as const

const MASTER = '0'
const READABLE = 0b100
/** Wait for messages if there are none, and take the subscription from the request. */
const PULL_FLAGS = 0b110
/** A broker keeps a request for messages open so long while there are none. */
const PULL_WAIT_MS = 15_000
/** They look for requests whose time is over every five seconds only. */
const PULL_TIMEOUT_MS = 2 * PULL_WAIT_MS
const PULL_MAX_MESSAGES = 32
const NOTHING = Buffer.alloc(0)

/** Header fields with the offsets that answers carry. */
const Offset = Type.Object({ offset: Type.Union([Type.String(), Type.Integer()]) })
const NextOffset = Type.Object({ nextBeginOffset: Type.Union([Type.String(), Type.Integer()]) })
const AllOffsets = Type.Object({
  offsetTable: Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer())),
})

/** Reading queues on behalf of a group: single requests. What repeats them and why is decided above. */
export class QueueRequests {
  readonly #client: ConsumerClient

  constructor(client: ConsumerClient) {
    this.#client = client
  }

  /** @throws RelayError TOPIC_UNKNOWN, or BROKER_UNAVAILABLE when no broker is there to read from */
  async route(topic: string): Promise<ReadRoute> {
    const { brokerDatas = [], queueDatas = [] } = (await this.#client.route(topic)) ?? {}
    const addressOf = new Map<string, string>()
    for (const { brokerName, brokerAddrs } of brokerDatas) {
      const address = brokerAddrs[MASTER] ?? Object.values(brokerAddrs)[0]
      if (address !== undefined) addressOf.set(brokerName, address)
    }
    const queues = queueDatas.flatMap(({ brokerName, perm, readQueueNums }) => {
      if (!addressOf.has(brokerName) || (perm & READABLE) === 0) return []
      return Array.from({ length: readQueueNums }, (_, id) => ({ topic, broker: brokerName, id }))
    })
    if (queues.length === 0) {
      throw new RelayError('BROKER_UNAVAILABLE', `no running broker gives out messages of topic "${topic}"`)
    }
    const addresses = brokerDatas.flatMap(({ brokerAddrs }) => Object.values(brokerAddrs))
    return { queues: queues.sort(byBrokerAndId), addresses, addressOf }
  }

  /** The group's offset in the queue; undefined: it has none. */
  async committed(address: string, queue: ReadQueue): Promise<bigint | undefined> {
    const { topic } = queue
    const header = { ...place(queue), consumerGroup: this.#client.group, setZeroIfNotFound: false }
    const answer = await this.#client.try(address, CODE.QUERY_CONSUMER_OFFSET, header, { topic })
    if (answer.code === ANSWER.QUERY_NOT_FOUND) return undefined
    if (answer.code !== ANSWER.OK) throw this.#client.refusal(answer, address, topic)
    const offset = offsetOf(answer)
    // RocketMQ 4.x says 0 as well where there is none yet.
    if (offset !== 0n || (await this.#hasOffset(address, queue))) return offset
    return undefined
  }

  async commit(address: string, queue: ReadQueue, offset: bigint): Promise<void> {
    const header = {
      ...place(queue),
      consumerGroup: this.#client.group,
      commitOffset: String(offset),
    }
    await this.#client.ask(address, CODE.UPDATE_CONSUMER_OFFSET, header, { topic: queue.topic })
  }

  async firstOffset(address: string, queue: ReadQueue): Promise<bigint> {
    const { topic } = queue
    return offsetOf(await this.#client.ask(address, CODE.GET_MIN_OFFSET, place(queue), { topic }))
  }

  /** Of the next message to be written. */
  async endOffset(address: string, queue: ReadQueue): Promise<bigint> {
    const { topic } = queue
    return offsetOf(await this.#client.ask(address, CODE.GET_MAX_OFFSET, place(queue), { topic }))
  }

  /** Of the first message stored at that time or later. */
  async offsetAt(address: string, queue: ReadQueue, time: number): Promise<bigint> {
    const header = { ...place(queue), timestamp: time }
    const { topic } = queue
    return offsetOf(await this.#client.ask(address, CODE.SEARCH_OFFSET_BY_TIMESTAMP, header, { topic }))
  }

  /** Waits up to 15 s for messages. */
  async pull(
    address: string,
    queue: ReadQueue,
    offset: bigint,
    { subString, subVersion, expressionType }: SubscriptionData,
  ): Promise<Pulled> {
    const header = {
      ...place(queue),
      consumerGroup: this.#client.group,
      queueOffset: String(offset),
      maxMsgNums: PULL_MAX_MESSAGES,
      sysFlag: PULL_FLAGS,
      commitOffset: 0,
      suspendTimeoutMillis: PULL_WAIT_MS,
      subscription: subString,
      subVersion,
      expressionType,
    }
    const { topic } = queue
    const content = { topic, timeoutMs: PULL_TIMEOUT_MS }
    const answer = await this.#client.try(address, CODE.PULL_MESSAGE, header, content)
    switch (answer.code) {
      case ANSWER.OK:
        return { status: 'found', messages: decodeMessages(answer.body ?? NOTHING), next: nextOf(answer) }
      case ANSWER.NOT_FOUND:
      case ANSWER.RETRY_IMMEDIATELY:
        return { status: 'nothing', next: nextOf(answer) }
      case ANSWER.OFFSET_MOVED:
        return { status: 'moved', next: nextOf(answer) }
      default:
        throw this.#client.refusal(answer, address, topic)
    }
  }

  /**
   * Makes the broker deliver a copy of the message later, by its own delay levels, or put it among the dead letters
   * once it came `maxReconsumeTimes` times; with `giveUp` at once.
   */
  async sendBack(
    address: string,
    message: StoredMessage,
    { maxReconsumeTimes, giveUp }: { maxReconsumeTimes: number; giveUp: boolean },
  ): Promise<void> {
    const header = {
      offset: String(message.logOffset),
      group: this.#client.group,
      delayLevel: giveUp ? -1 : 0,
      originMsgId: message.offsetId,
      originTopic: message.topic,
      unitMode: false,
      maxReconsumeTimes,
    }
    await this.#client.ask(address, CODE.CONSUMER_SEND_MSG_BACK, header, { topic: message.topic })
  }

  /** Whether the broker has written down an offset, 0 included. Where it keeps that to itself, it counts as written. */
  async #hasOffset(address: string, queue: ReadQueue): Promise<boolean> {
    const { group } = this.#client
    try {
      const { offsetTable } = await this.#client.askFor(AllOffsets, address, CODE.GET_ALL_CONSUMER_OFFSET, {})
      return offsetTable[`${queue.topic}@${group}`]?.[String(queue.id)] !== undefined
    } catch (error) {
      if (error instanceof RelayError && !error.retryable) return true
      throw error
    }
  }
}

export function byBrokerAndId(a: ReadQueue, b: ReadQueue): number {
  return a.broker === b.broker ? a.id - b.id : a.broker < b.broker ? -1 : 1
}

function place({ topic, id }: ReadQueue) {
  return { topic, queueId: id }
}

function offsetOf(answer: RemotingCommand): bigint {
  return BigInt(headerOf(Offset, answer).offset)
}

function nextOf(answer: RemotingCommand): bigint {
  return BigInt(headerOf(NextOffset, answer).nextBeginOffset)
}
