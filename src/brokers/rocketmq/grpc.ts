import { format } from 'node:util'
import {
  type Endpoints,
  type MessageQueue,
  Producer,
  PublishingMessage,
  TopicRouteData,
} from 'rocketmq-client-nodejs'
import definition from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js'
import service from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js'
import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { grpcError, grpcRefusal, type Request } from './errors.js'
import type { CheckedMessage } from './message.js'
import { type RocketmqSettings, withNamespace } from './settings.js'
import { byBrokerAndId, type Queue, type Route, type Stored, type Wire } from './wire.js'

const { Code, Permission } = definition
/** No such topic need exist: that a name server does not know it is the answer of a proxy in working order. */
const CHECK_TOPIC = 'bpmn-relay-connection-check'
const MASTER = 0

interface GrpcQueue extends Queue {
  native: MessageQueue
}

/**
 * The gRPC proxy protocol, spoken through the request layer of rocketmq-client-nodejs: a producer that is never
 * started signs and sends single calls. Starting it would open a telemetry stream that can wait for ever, comes
 * back after shutdown, and stops renewing routes at the first unknown topic.
 */
export class GrpcWire implements Wire<GrpcQueue> {
  readonly #settings: RocketmqSettings
  readonly #log: Log
  #client: Client

  constructor(settings: RocketmqSettings, log: Log) {
    this.#settings = settings
    this.#log = log
    this.#client = new Client(settings, log)
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

  async send(message: CheckedMessage, queue: GrpcQueue, timeoutMs: number): Promise<Stored> {
    const request = { address: queue.address, topic: message.topic }
    const response = await this.#call(request, (client) =>
      client.rpc.sendMessage(
        client.endpoints(queue.native.broker.endpoints),
        new service.SendMessageRequest().setMessagesList([client.encode(message, queue.native)]),
        timeoutMs,
      ),
    )
    const entry = response.getEntriesList()[0]
    accept(entry?.getStatus() ?? response.getStatus(), request)
    // The proxy chooses the queue itself and keeps to itself which one it was.
    return { queueId: null, queueOffset: String(entry?.getOffset() ?? 0) }
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
      return client.rpc.queryRoute(client.proxy, query, timeoutMs)
    })
    accept(response.getStatus(), request)
    return new TopicRouteData(response.getMessageQueuesList()).messageQueues
  }

  /** A call that got no answer has its client replaced: gRPC itself may wait minutes before it connects again. */
  async #call<T>(request: Request, call: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#client
    try {
      return await client.use(call)
    } catch (thrown) {
      const error = grpcError(thrown, request)
      const unanswered = error.code === 'BROKER_UNREACHABLE' || error.code === 'BROKER_TIMEOUT'
      if (unanswered && client === this.#client) {
        this.#client = new Client(this.#settings, this.#log)
        client.retire()
      }
      throw error
    }
  }
}

/** One set of channels, closed once it is retired and its last call has ended. */
class Client {
  readonly #producer: Producer
  readonly #endpoints = new Map<string, Endpoints>()
  readonly #settings: RocketmqSettings
  #calls = 0
  #retired = false

  constructor(settings: RocketmqSettings, log: Log) {
    const { addresses, accessKey, secretKey, sslEnabled } = settings
    this.#settings = settings
    this.#producer = new Producer({
      endpoints: addresses.join(';'),
      // The proxy takes a namespace sent on its own without a word, and does not heed it.
      namespace: '',
      sslEnabled,
      logger: quiet(log),
      ...(accessKey && secretKey && { sessionCredentials: { accessKey, accessSecret: secretKey } }),
    })
  }

  get rpc() {
    return this.#producer.getRpcClientManager()
  }

  get proxy(): Endpoints {
    return this.endpoints(this.#producer.getEndpoints())
  }

  /** One object per address: the library opens a channel for every object it has not seen. */
  endpoints(endpoints: Endpoints): Endpoints {
    const known = this.#endpoints.get(endpoints.facade)
    if (known) return known
    this.#endpoints.set(endpoints.facade, endpoints)
    return endpoints
  }

  encode(message: CheckedMessage, queue: MessageQueue) {
    const { topic, body, tag, keys, properties, deliverAt, messageGroup } = message
    const publishing = new PublishingMessage(
      {
        topic: withNamespace(topic, this.#settings),
        // Set below: here the library would compare it with a limit of its own.
        body: Buffer.alloc(0),
        keys,
        properties: new Map(properties),
        ...(tag !== undefined && { tag }),
        ...(deliverAt !== undefined && { deliveryTimestamp: new Date(deliverAt) }),
        ...(messageGroup !== undefined && { messageGroup }),
      },
      this.#producer.publishingSettings,
      false,
    )
    const encoded = publishing.toProtobuf('', queue).setBody(body)
    // The library's own id would be a new one for every attempt.
    encoded.getSystemProperties()?.setMessageId(message.id)
    return encoded
  }

  async use<T>(call: (client: Client) => Promise<T>): Promise<T> {
    this.#calls++
    try {
      return await call(this)
    } finally {
      this.#calls--
      this.#closeIfDone()
    }
  }

  retire(): void {
    this.#retired = true
    this.#closeIfDone()
  }

  #closeIfDone(): void {
    if (this.#retired && this.#calls === 0) this.rpc.close()
  }
}

const WRITABLE = new Set<number>([Permission.WRITE, Permission.READ_WRITE])

function accept(status: { getCode(): number; getMessage(): string } | undefined, request: Request): void {
  const code = status?.getCode()
  if (code === Code.OK) return
  throw grpcRefusal(
    { code: code ?? Code.CODE_UNSPECIFIED, message: status?.getMessage() ?? 'an answer without status' },
    request,
  )
}

/** What the library has to tell also arrives as errors of its calls, so its log is for debugging only. */
function quiet(log: Log) {
  const debug = (...args: unknown[]) => log.debug(format(...args))
  return { debug, info: debug, warn: debug, error: debug }
}
