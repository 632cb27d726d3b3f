import { format } from 'node:util'
import MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import type { ConsumeMode, InitialPosition } from '../../subscription.js'
import { remotingError } from '../errors.js'
import { parseFastjson } from '../fastjson.js'
import type { RocketmqSettings } from '../settings.js'
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

export interface Membership {
  clientId: string
  group: string
  mode: ConsumeMode
  from: InitialPosition
  subscriptions: SubscriptionData[]
}

const CODE = {
  PULL_MESSAGE: 11,
  QUERY_CONSUMER_OFFSET: 14,
  UPDATE_CONSUMER_OFFSET: 15,
  SEARCH_OFFSET_BY_TIMESTAMP: 29,
  GET_MAX_OFFSET: 30,
  GET_MIN_OFFSET: 31,
  HEART_BEAT: 34,
  UNREGISTER_CLIENT: 35,
  CONSUMER_SEND_MSG_BACK: 36,
  GET_CONSUMER_LIST_BY_GROUP: 38,
  NOTIFY_CONSUMER_IDS_CHANGED: 40,
  LOCK_BATCH_MQ: 41,
  UNLOCK_BATCH_MQ: 42,
  GET_ALL_CONSUMER_OFFSET: 43,
  CHECK_CLIENT_CONFIG: 46,
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

/** Header fields with the offsets that answers carry. */
const Offset = Type.Object({ offset: Type.Union([Type.String(), Type.Integer()]) })
const NextOffset = Type.Object({ nextBeginOffset: Type.Union([Type.String(), Type.Integer()]) })
const ConsumerList = Type.Object({ consumerIdList: Type.Array(Type.String()) })
const Locked = Type.Object({
  lockOKMQSet: Type.Array(
    Type.Object({ topic: Type.String(), brokerName: Type.String(), queueId: Type.Integer() }),
  ),
})
const AllOffsets = Type.Object({
  offsetTable: Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer())),
})

/**
 * Single requests of a consumer, each ending within its time limit, none repeated. What repeats them and why is
 * decided above. Each member has a client of its own: brokers tell members apart by connection.
 */
export class ConsumerRequests {
  readonly #client: MQClientAPI
  readonly #names: string[]
  readonly #timeoutMs: number

  /** @param onGroupChanged a broker says that members came or went */
  constructor(settings: RocketmqSettings, log: Log, onGroupChanged: () => void) {
    const { addresses, accessKey, secretKey, connectTimeoutMs } = settings
    const debug = (...args: unknown[]) => log.debug(format(...args))
    this.#names = addresses
    this.#timeoutMs = connectTimeoutMs
    this.#client = new MQClientAPI({
      nameSrv: addresses,
      httpclient: {},
      logger: { debug, info: debug, warn: debug, error: debug },
      connectTimeout: connectTimeoutMs,
      ...(accessKey && secretKey && { accessKey, secretKey }),
    })
    this.#client.on('error', (error) =>
      log.debug('a connection to RocketMQ failed', { error: String(error) }),
    )
    this.#client.on('request', (request: unknown) => {
      if (codeOfRequest(request) === CODE.NOTIFY_CONSUMER_IDS_CHANGED) onGroupChanged()
    })
  }

  /** @throws RelayError TOPIC_UNKNOWN, or BROKER_UNAVAILABLE when no broker is there to read from */
  async route(topic: string): Promise<ReadRoute> {
    const request = { address: this.#names.join(';'), topic }
    // Before that the library has no name server to ask, and says so by an error without a reason.
    await this.#client.ready()
    const route = await this.#client
      .getTopicRouteInfoFromNameServer(topic, this.#timeoutMs / this.#names.length)
      .catch((thrown: unknown) => {
        throw remotingError(thrown, request)
      })
    const addressOf = new Map<string, string>()
    for (const { brokerName, brokerAddrs } of route?.brokerDatas ?? []) {
      const address = brokerAddrs[MASTER] ?? Object.values(brokerAddrs)[0]
      if (address !== undefined) addressOf.set(brokerName, address)
    }
    const queues = (route?.queueDatas ?? []).flatMap(({ brokerName, perm, readQueueNums }) => {
      if (!addressOf.has(brokerName) || (perm & READABLE) === 0) return []
      return Array.from({ length: readQueueNums }, (_, id) => ({ topic, broker: brokerName, id }))
    })
    if (queues.length === 0) {
      throw new RelayError('BROKER_UNAVAILABLE', `no running broker gives out messages of topic "${topic}"`)
    }
    const addresses = (route?.brokerDatas ?? []).flatMap(({ brokerAddrs }) => Object.values(brokerAddrs))
    return { queues: queues.sort(byBrokerAndId), addresses, addressOf }
  }

  async heartbeat(address: string, member: Membership): Promise<void> {
    const { clientId, group, mode, from, subscriptions } = member
    await this.#ask(
      address,
      CODE.HEART_BEAT,
      {},
      {
        clientID: clientId,
        producerDataSet: [],
        consumerDataSet: [
          {
            groupName: group,
            consumeType: 'CONSUME_PASSIVELY',
            messageModel: mode === 'clustering' ? 'CLUSTERING' : 'BROADCASTING',
            consumeFromWhere: fromWhere(from),
            subscriptionDataSet: subscriptions,
            unitMode: false,
          },
        ],
      },
    )
  }

  /** Compiles the filter there. @throws RelayError with the broker's complaint about it */
  async checkSubscription(address: string, clientId: string, group: string, data: SubscriptionData) {
    const body = { clientId, group, subscriptionData: data }
    await this.#ask(address, CODE.CHECK_CLIENT_CONFIG, {}, body, data.topic)
  }

  async leave(address: string, clientId: string, group: string): Promise<void> {
    await this.#ask(address, CODE.UNREGISTER_CLIENT, { clientID: clientId, consumerGroup: group })
  }

  /** Client ids. @throws RelayError when the broker knows no member of the group */
  async members(address: string, group: string): Promise<string[]> {
    const answer = await this.#ask(address, CODE.GET_CONSUMER_LIST_BY_GROUP, { consumerGroup: group })
    return parsed(ConsumerList, jsonOf(answer)).consumerIdList
  }

  /** The group's offset in the queue; undefined: it has none. */
  async committed(address: string, group: string, queue: ReadQueue): Promise<bigint | undefined> {
    const header = { consumerGroup: group, topic: queue.topic, queueId: queue.id, setZeroIfNotFound: false }
    const answer = await this.#invoke(address, CODE.QUERY_CONSUMER_OFFSET, header, undefined, queue.topic)
    if (answer.code === ANSWER.QUERY_NOT_FOUND) return undefined
    const offset = offsetOf(accepted(answer, address, queue.topic))
    // RocketMQ 4.x says 0 as well where there is none yet.
    if (offset !== 0n || (await this.#hasOffset(address, group, queue))) return offset
    return undefined
  }

  async commit(address: string, group: string, queue: ReadQueue, offset: bigint): Promise<void> {
    const header = {
      consumerGroup: group,
      topic: queue.topic,
      queueId: queue.id,
      commitOffset: String(offset),
    }
    await this.#ask(address, CODE.UPDATE_CONSUMER_OFFSET, header, undefined, queue.topic)
  }

  async firstOffset(address: string, queue: ReadQueue): Promise<bigint> {
    return offsetOf(await this.#ask(address, CODE.GET_MIN_OFFSET, place(queue), undefined, queue.topic))
  }

  /** Of the next message to be written. */
  async endOffset(address: string, queue: ReadQueue): Promise<bigint> {
    return offsetOf(await this.#ask(address, CODE.GET_MAX_OFFSET, place(queue), undefined, queue.topic))
  }

  /** Of the first message stored at that time or later. */
  async offsetAt(address: string, queue: ReadQueue, time: number): Promise<bigint> {
    const header = { ...place(queue), timestamp: time }
    return offsetOf(await this.#ask(address, CODE.SEARCH_OFFSET_BY_TIMESTAMP, header, undefined, queue.topic))
  }

  /** Waits up to 15 s for messages. */
  async pull(
    address: string,
    group: string,
    queue: ReadQueue,
    offset: bigint,
    { subString, subVersion, expressionType }: SubscriptionData,
  ): Promise<Pulled> {
    const header = {
      ...place(queue),
      consumerGroup: group,
      queueOffset: String(offset),
      maxMsgNums: PULL_MAX_MESSAGES,
      sysFlag: PULL_FLAGS,
      commitOffset: 0,
      suspendTimeoutMillis: PULL_WAIT_MS,
      subscription: subString,
      subVersion,
      expressionType,
    }
    const answer = await this.#invoke(
      address,
      CODE.PULL_MESSAGE,
      header,
      undefined,
      queue.topic,
      PULL_TIMEOUT_MS,
    )
    switch (answer.code) {
      case ANSWER.OK:
        return { status: 'found', messages: decodeMessages(answer.body ?? NOTHING), next: nextOf(answer) }
      case ANSWER.NOT_FOUND:
      case ANSWER.RETRY_IMMEDIATELY:
        return { status: 'nothing', next: nextOf(answer) }
      case ANSWER.OFFSET_MOVED:
        return { status: 'moved', next: nextOf(answer) }
      default:
        throw refused(answer, address, queue.topic)
    }
  }

  /** Those of the queues, all of that broker, that no other member has: nobody else gets them for a minute. */
  async lock(address: string, clientId: string, group: string, queues: ReadQueue[]): Promise<ReadQueue[]> {
    const answer = await this.#ask(address, CODE.LOCK_BATCH_MQ, {}, lockBody(clientId, group, queues))
    const locked = parsed(Locked, jsonOf(answer)).lockOKMQSet
    return queues.filter((queue) =>
      locked.some(
        ({ topic, brokerName, queueId }) =>
          topic === queue.topic && brokerName === queue.broker && queueId === queue.id,
      ),
    )
  }

  async unlock(address: string, clientId: string, group: string, queues: ReadQueue[]): Promise<void> {
    await this.#ask(address, CODE.UNLOCK_BATCH_MQ, {}, lockBody(clientId, group, queues))
  }

  /**
   * Makes the broker deliver a copy of the message later, by its own delay levels, or put it among the dead letters
   * once it came `maxReconsumeTimes` times; with `giveUp` at once.
   */
  async sendBack(
    address: string,
    group: string,
    message: StoredMessage,
    { maxReconsumeTimes, giveUp }: { maxReconsumeTimes: number; giveUp: boolean },
  ): Promise<void> {
    const header = {
      offset: String(message.logOffset),
      group,
      delayLevel: giveUp ? -1 : 0,
      originMsgId: message.offsetId,
      originTopic: message.topic,
      unitMode: false,
      maxReconsumeTimes,
    }
    await this.#ask(address, CODE.CONSUMER_SEND_MSG_BACK, header, undefined, message.topic)
  }

  async close(): Promise<void> {
    await this.#client.ready()
    await this.#client.close()
    // Closing removes all listeners, and an error event nobody listens to ends the process.
    this.#client.on('error', () => undefined)
  }

  /** Whether the broker has written down an offset, 0 included. Where it keeps that to itself, it counts as written. */
  async #hasOffset(address: string, group: string, queue: ReadQueue): Promise<boolean> {
    try {
      const answer = await this.#ask(address, CODE.GET_ALL_CONSUMER_OFFSET, {})
      const { offsetTable } = parsed(AllOffsets, jsonOf(answer))
      return offsetTable[`${queue.topic}@${group}`]?.[String(queue.id)] !== undefined
    } catch (error) {
      if (error instanceof RelayError && !error.retryable) return true
      throw error
    }
  }

  async #ask(address: string, code: number, header: Header, body?: object, topic?: string) {
    return accepted(await this.#invoke(address, code, header, body, topic), address, topic)
  }

  async #invoke(
    address: string,
    code: number,
    header: Header,
    body: object | undefined,
    topic: string | undefined,
    timeoutMs = this.#timeoutMs,
  ): Promise<RemotingCommand> {
    const command = RemotingCommand.createRequestCommand(code, header)
    if (body) command.body = Buffer.from(JSON.stringify(body))
    try {
      return await this.#client.invoke(address, command, timeoutMs)
    } catch (thrown) {
      throw remotingError(thrown, { address, ...(topic !== undefined && { topic }) })
    }
  }
}

type Header = Record<string, string | number | boolean>

const NOTHING = Buffer.alloc(0)

export function byBrokerAndId(a: ReadQueue, b: ReadQueue): number {
  return a.broker === b.broker ? a.id - b.id : a.broker < b.broker ? -1 : 1
}

function place(queue: ReadQueue) {
  return { topic: queue.topic, queueId: queue.id }
}

function lockBody(clientId: string, consumerGroup: string, queues: ReadQueue[]) {
  const mqSet = queues.map(({ topic, broker, id }) => ({ topic, brokerName: broker, queueId: id }))
  return { consumerGroup, clientId, mqSet }
}

function fromWhere(from: InitialPosition): string {
  switch (from.at) {
    case 'earliest':
      return 'CONSUME_FROM_FIRST_OFFSET'
    case 'latest':
      return 'CONSUME_FROM_LAST_OFFSET'
    case 'time':
      return 'CONSUME_FROM_TIMESTAMP'
    default:
      return from satisfies never
  }
}

function accepted(answer: RemotingCommand, address: string, topic?: string): RemotingCommand {
  if (answer.code === ANSWER.OK) return answer
  throw refused(answer, address, topic)
}

function refused(answer: RemotingCommand, address: string, topic: string | undefined): RelayError {
  const refusal = Object.assign(new Error(answer.remark ?? `code ${answer.code}`), {
    name: 'MQClientException',
    code: answer.code,
  })
  return remotingError(refusal, { address, ...(topic !== undefined && { topic }) })
}

function offsetOf(answer: RemotingCommand): bigint {
  return BigInt(parsed(Offset, answer.extFields).offset)
}

function nextOf(answer: RemotingCommand): bigint {
  return BigInt(parsed(NextOffset, answer.extFields).nextBeginOffset)
}

function jsonOf(answer: RemotingCommand): unknown {
  try {
    return parseFastjson(String(answer.body ?? '{}'))
  } catch (cause) {
    throw new RelayError('INTERNAL', `RocketMQ sent an answer that is not JSON: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function parsed<T extends TSchema>(schema: T, value: unknown): Static<T> {
  try {
    return Value.Parse(schema, value)
  } catch (cause) {
    throw new RelayError('INTERNAL', `RocketMQ sent an unexpected answer: ${messageOf(cause)}`, { cause })
  }
}

function codeOfRequest(request: unknown): unknown {
  if (typeof request !== 'object' || request === null || !('data' in request)) return undefined
  const { data } = request
  return typeof data === 'object' && data !== null && 'code' in data ? data.code : undefined
}
