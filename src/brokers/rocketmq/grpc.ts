import { type MessageQueue, PublishingMessage, TopicRouteData } from 'rocketmq-client-nodejs'
import definition from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js'
import service, {
  type QueryRouteResponse,
  type SendMessageResponse,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js'
import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { grpcError, grpcRefusal, type Request } from './errors.js'
import { GrpcClient } from './grpc-client.js'
import type { CheckedMessage } from './message.js'
import { type RocketmqSettings, withNamespace } from './settings.js'
import { byBrokerAndId, type Queue, type Route, type Stored, type Wire } from './wire.js'

const { Code, Permission } = definition
/** No such topic need exist: that a name server does not know it is the answer of a proxy in working order. */
const CHECK_TOPIC = 'bpmn-relay-connection-check'
const MASTER = 0
/** Proxies remember for twenty seconds that there is no such topic, and hear of it with the question after that. */
const TOPIC_LAG_MS = 22_000

interface GrpcQueue extends Queue {
  native: MessageQueue
}

/**
 * The gRPC proxy protocol, spoken below the producer of rocketmq-client-nodejs. Starting that would open a telemetry
 * stream that can wait for ever, comes back after shutdown, and stops renewing routes at the first unknown topic.
 */
export class GrpcWire implements Wire<GrpcQueue> {
  readonly topicLagMs = TOPIC_LAG_MS
  readonly #settings: RocketmqSettings
  readonly #log: Log
  #client: GrpcClient

  constructor(settings: RocketmqSettings, log: Log) {
    this.#settings = settings
    this.#log = log
    this.#client = new GrpcClient(settings, log)
  }

  async route(topic: string, timeoutMs: number): Promise<Route<GrpcQueue>> {
    const request = { address: this.#address, topic }
    const queues = (await this.#queryRoute(topic, timeoutMs))
      .filter(({ broker, permission }) => broker.id === MASTER && WRITABLE.has(permission))
      .map((native) => ({
        broker: native.broker.name,
        id: native.queueId,
        address: native.broker.endpoints.facade,
        native,
      }))
    if (queues.length > 0) return { queues: queues.sort(byBrokerAndId), provisional: false }
    throw new RelayError(
      'BROKER_UNAVAILABLE',
      `no running broker takes messages for topic "${request.topic}"`,
    )
  }

  /** The proxy chooses the queue of a whole send after the group of its first message. */
  company({ messageGroup, deliverAt }: CheckedMessage): string | undefined {
    return deliverAt === undefined ? (messageGroup ?? '') : undefined
  }

  async send(messages: readonly CheckedMessage[], queue: GrpcQueue, timeoutMs: number): Promise<Stored[]> {
    const [first] = messages
    const request = { address: queue.address, ...(first && { topic: first.topic }) }
    const response = await this.#call(request, (client) => {
      const encoded = messages.map((message) => encode(message, queue.native, client, this.#settings))
      const send = new service.SendMessageRequest().setMessagesList(encoded)
      return client.call<SendMessageResponse>(queue.native.broker.endpoints, timeoutMs, (stub, ...rest) =>
        stub.sendMessage(send, ...rest),
      )
    })
    // One entry stands for the whole send.
    const [entry] = response.getEntriesList()
    const status = entry?.getStatus() ?? response.getStatus()
    // The proxy chooses the queue itself and keeps to itself which one it was.
    if (status && STORED_UNSAFELY.has(status.getCode())) {
      const warning = `the proxy reports ${status.getMessage()}`
      return messages.map(() => ({ queueId: null, queueOffset: null, warning }))
    }
    accept(status, request)
    const offset = entry?.getOffset() ?? 0
    return messages.map((_, index) => ({ queueId: null, queueOffset: String(offset + index) }))
  }

  async check(timeoutMs: number): Promise<void> {
    try {
      await this.#queryRoute(CHECK_TOPIC, timeoutMs)
    } catch (error) {
      if (error instanceof RelayError && (error.code === 'TOPIC_UNKNOWN' || error.code === 'NOT_AUTHORIZED'))
        return
      throw error
    }
  }

  async close(): Promise<void> {
    this.#client.retire()
  }

  get #address(): string {
    return this.#settings.addresses.join(';')
  }

  async #queryRoute(topic: string, timeoutMs: number): Promise<MessageQueue[]> {
    const request = { address: this.#address, topic }
    const response = await this.#call(request, (client) => {
      const query = new service.QueryRouteRequest()
        .setTopic(new definition.Resource().setName(withNamespace(topic, this.#settings)))
        .setEndpoints(client.proxy.toProtobuf())
      return client.call<QueryRouteResponse>(client.proxy, timeoutMs, (stub, ...rest) =>
        stub.queryRoute(query, ...rest),
      )
    })
    accept(response.getStatus(), request)
    return new TopicRouteData(response.getMessageQueuesList()).messageQueues
  }

  /** A call that got no answer has its client replaced: gRPC itself may wait minutes before it connects again. */
  async #call<T>(request: Request, call: (client: GrpcClient) => Promise<T>): Promise<T> {
    const client = this.#client
    try {
      return await call(client)
    } catch (thrown) {
      const error = grpcError(thrown, request)
      const unanswered = error.code === 'BROKER_UNREACHABLE' || error.code === 'BROKER_TIMEOUT'
      if (unanswered && client === this.#client) {
        this.#client = new GrpcClient(this.#settings, this.#log)
        client.retire()
      }
      throw error
    }
  }
}

function encode(
  message: CheckedMessage,
  queue: MessageQueue,
  { producer }: GrpcClient,
  settings: RocketmqSettings,
) {
  const { topic, body, tag, keys, properties, deliverAt, messageGroup } = message
  const publishing = new PublishingMessage(
    {
      topic: withNamespace(topic, settings),
      // Set below: here the library would compare it with a limit of its own.
      body: Buffer.alloc(0),
      keys,
      properties: new Map(Object.entries(properties)),
      ...(tag !== undefined && { tag }),
      ...(deliverAt !== undefined && { deliveryTimestamp: new Date(deliverAt) }),
      ...(messageGroup !== undefined && { messageGroup }),
    },
    producer.publishingSettings,
    false,
  )
  const encoded = publishing.toProtobuf('', queue).setBody(body)
  // The library's own id would be a new one for every attempt.
  encoded.getSystemProperties()?.setMessageId(message.id)
  return encoded
}

/** What the proxy makes of the send statuses of a broker that has the message; it leaves out where. */
const STORED_UNSAFELY = new Set<number>([
  Code.MASTER_PERSISTENCE_TIMEOUT,
  Code.SLAVE_PERSISTENCE_TIMEOUT,
  Code.HA_NOT_AVAILABLE,
])

const WRITABLE = new Set<number>([Permission.WRITE, Permission.READ_WRITE])

function accept(status: { getCode(): number; getMessage(): string } | undefined, request: Request): void {
  const code = status?.getCode()
  if (code === Code.OK) return
  throw grpcRefusal(
    { code: code ?? Code.CODE_UNSPECIFIED, message: status?.getMessage() ?? 'an answer without status' },
    request,
  )
}
