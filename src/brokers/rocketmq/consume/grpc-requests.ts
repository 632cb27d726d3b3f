import type { ClientDuplexStream, ClientReadableStream } from '@grpc/grpc-js'
import { type Endpoints, type MessageQueue, TopicRouteData } from 'rocketmq-client-nodejs'
import {
  createDuration as duration,
  createResource as resource,
} from 'rocketmq-client-nodejs/dist/util/index.js'
import definition, { type Settings } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js'
import service, {
  type AckMessageResponse,
  type ChangeInvisibleDurationResponse,
  type ForwardMessageToDeadLetterQueueResponse,
  type HeartbeatResponse,
  type NotifyClientTerminationResponse,
  type QueryRouteResponse,
  type ReceiveMessageResponse,
  type TelemetryCommand,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js'
import { RelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { withTimeLimit } from '../../../core/time-limit.js'
import type { MessageFilter } from '../../subscription.js'
import { grpcError, grpcRefusal, type Request } from '../errors.js'
import { GrpcClient } from '../grpc-client.js'
import type { RocketmqSettings } from '../settings.js'
import { expressionOf } from './filter.js'
import { type ReceivedMessage, receivedMessage } from './received-message.js'

const { ClientType, Code, FilterType, Permission } = definition

/** The shortest a proxy grants: a call given up when it closes may still be handed messages. */
const POLL_MS = 5000
/** Proxies take what a call needs to come back off its deadline. */
const POLL_SLACK_MS = 3000
const MOST_AT_ONCE = 32
/** Until a proxy takes it over to renew; never heeded where it does. */
const INVISIBLE_MS = 60_000

export interface Subscribed {
  /** As the server spells it. */
  topic: string
  filter: MessageFilter | undefined
}

/** What the servers have settled for the group. */
export interface GroupSettings {
  /** Whether the messages of a queue are handed out in order. */
  isOrdered: boolean
  /** How long to wait before a message comes again that was delivered so often, milliseconds. */
  delayMs(attempt: number): number
}

/**
 * Single requests of a consumer to the proxies, and the stream by which they know it. After `renew` it is another
 * client to them: gRPC itself may wait minutes before it connects again.
 */
export class GrpcRequests {
  readonly #settings: RocketmqSettings
  readonly #group: string
  readonly #subscribed: readonly Subscribed[]
  readonly #log: Log
  readonly #onLost: () => void
  readonly #polls = new Set<ClientReadableStream<ReceiveMessageResponse>>()
  /** By the address of the proxy. */
  readonly #streams = new Map<string, ClientDuplexStream<TelemetryCommand, TelemetryCommand>>()
  #client: GrpcClient

  /** @param onLost a proxy does not know this client any more */
  constructor(
    settings: RocketmqSettings,
    group: string,
    subscribed: readonly Subscribed[],
    log: Log,
    onLost: () => void,
  ) {
    this.#settings = settings
    this.#group = group
    this.#subscribed = subscribed
    this.#log = log
    this.#onLost = onLost
    this.#client = new GrpcClient(settings, log)
  }

  renew(): void {
    const old = this.#client
    this.#client = new GrpcClient(this.#settings, this.#log)
    this.#retire(old)
  }

  /** One readable queue of each broker, which stands for all of them: the proxy chooses itself. */
  async route(topic: string): Promise<MessageQueue[]> {
    const request = this.#request(this.#settings.addresses.join(';'), topic)
    const client = this.#client
    const query = new service.QueryRouteRequest()
      .setTopic(resource(topic))
      .setEndpoints(client.proxy.toProtobuf())
    const response = await this.#call<QueryRouteResponse>(request, client.proxy, (stub, ...rest) =>
      stub.queryRoute(query, ...rest),
    )
    accept(response.getStatus(), request)
    const byBroker = new Map<string, MessageQueue>()
    for (const queue of new TopicRouteData(response.getMessageQueuesList()).messageQueues) {
      if (READABLE.has(queue.permission)) byBroker.set(queue.broker.name, queue)
    }
    if (byBroker.size > 0) return [...byBroker.values()]
    throw new RelayError('BROKER_UNAVAILABLE', `no running broker gives out messages of topic "${topic}"`)
  }

  /** Tells a proxy of this consumer, unless it knows already. @returns what holds for the group, then */
  async introduce(endpoints: Endpoints): Promise<GroupSettings | undefined> {
    if (this.#streams.has(endpoints.facade)) return undefined
    const client = this.#client
    const request = this.#request(endpoints.facade)
    const stream = client.stub(endpoints).telemetry(client.producer.getRequestMetadata())
    this.#streams.set(endpoints.facade, stream)
    const lost = () => {
      if (this.#streams.get(endpoints.facade) !== stream) return
      this.#streams.delete(endpoints.facade)
      this.#onLost()
    }
    const answer = new Promise<Settings>((resolve, reject) => {
      stream.on('data', (command: TelemetryCommand) => {
        const settings = command.getSettings()
        if (settings) resolve(settings)
      })
      stream.on('error', (error) => {
        lost()
        reject(grpcError(error, request))
      })
      stream.on('end', () => {
        lost()
        reject(new RelayError('BROKER_UNAVAILABLE', `the RocketMQ proxy at ${endpoints.facade} hung up`))
      })
    })
    stream.write(new service.TelemetryCommand().setSettings(this.#introduction(endpoints)))
    try {
      return groupSettings(
        await withTimeLimit(
          answer,
          this.#settings.connectTimeoutMs,
          () =>
            new RelayError(
              'BROKER_TIMEOUT',
              `the RocketMQ proxy at ${endpoints.facade} did not answer in time`,
            ),
        ),
      )
    } catch (error) {
      this.#streams.delete(endpoints.facade)
      stream.cancel()
      // A proxy that does not want this consumer ends the stream without a word, but gives a reason here.
      await this.heartbeat(endpoints)
      throw error
    }
  }

  async heartbeat(endpoints: Endpoints): Promise<void> {
    const request = this.#request(endpoints.facade)
    const beat = new service.HeartbeatRequest()
      .setGroup(resource(this.#group))
      .setClientType(ClientType.PUSH_CONSUMER)
    const response = await this.#call<HeartbeatResponse>(request, endpoints, (stub, ...rest) =>
      stub.heartbeat(beat, ...rest),
    )
    accept(response.getStatus(), request)
  }

  /** Whatever it was given and has not acknowledged is handed out again at once. */
  async leave(endpoints: Endpoints): Promise<void> {
    const end = new service.NotifyClientTerminationRequest().setGroup(resource(this.#group))
    await this.#call<NotifyClientTerminationResponse>(
      this.#request(endpoints.facade),
      endpoints,
      (stub, ...rest) => stub.notifyClientTermination(end, ...rest),
    )
  }

  /**
   * Waits some seconds for messages. They are nobody else's until they are acknowledged, as long as the proxy sees
   * this client alive.
   */
  async receive(
    { topic, filter }: Subscribed,
    queue: MessageQueue,
    most: number,
    take: (messages: ReceivedMessage[]) => void,
  ): Promise<void> {
    const { endpoints } = queue.broker
    const request = this.#request(endpoints.facade, topic)
    const receive = new service.ReceiveMessageRequest()
      .setGroup(resource(this.#group))
      .setMessageQueue(queue.toProtobuf())
      .setFilterExpression(expression(filter))
      .setBatchSize(Math.min(most, MOST_AT_ONCE))
      .setInvisibleDuration(duration(INVISIBLE_MS))
      .setLongPollingTimeout(duration(POLL_MS))
      .setAutoRenew(true)
    const client = this.#client
    await client.use(async () => {
      const deadline = Date.now() + POLL_MS + Math.max(POLL_SLACK_MS, this.#settings.connectTimeoutMs)
      const stream = client
        .stub(endpoints)
        .receiveMessage(receive, client.producer.getRequestMetadata(), { deadline })
      this.#polls.add(stream)
      const messages: ReceivedMessage[] = []
      let status: Status | undefined
      try {
        for await (const part of stream) {
          const response: ReceiveMessageResponse = part
          status ??= response.getStatus()
          const message = response.getMessage()
          if (message) messages.push(receivedMessage(message, queue))
        }
      } catch (thrown) {
        throw grpcError(thrown, request)
      } finally {
        this.#polls.delete(stream)
        // Even of a call that failed: nobody else gets them for now.
        if (messages.length > 0) take(messages)
      }
      if (status?.getCode() !== Code.MESSAGE_NOT_FOUND) accept(status, request)
    })
  }

  async acknowledge({ topic, id, receiptHandle, endpoints }: ReceivedMessage): Promise<void> {
    const request = this.#request(endpoints.facade, topic)
    const ack = new service.AckMessageRequest().setGroup(resource(this.#group)).setTopic(resource(topic))
    ack.addEntries(new service.AckMessageEntry().setMessageId(id).setReceiptHandle(receiptHandle))
    const response = await this.#call<AckMessageResponse>(request, endpoints, (stub, ...rest) =>
      stub.ackMessage(ack, ...rest),
    )
    accept(response.getEntriesList()[0]?.getStatus() ?? response.getStatus(), request)
  }

  /** Has the message handed out again after that time. */
  async deliverAgain(
    { topic, id, receiptHandle, endpoints }: ReceivedMessage,
    delayMs: number,
  ): Promise<void> {
    const request = this.#request(endpoints.facade, topic)
    const change = new service.ChangeInvisibleDurationRequest()
      .setGroup(resource(this.#group))
      .setTopic(resource(topic))
      .setMessageId(id)
      .setReceiptHandle(receiptHandle)
      .setInvisibleDuration(duration(delayMs))
    const response = await this.#call<ChangeInvisibleDurationResponse>(request, endpoints, (stub, ...rest) =>
      stub.changeInvisibleDuration(change, ...rest),
    )
    accept(response.getStatus(), request)
  }

  async giveUp({ topic, id, receiptHandle, endpoints, attempt }: ReceivedMessage): Promise<void> {
    const request = this.#request(endpoints.facade, topic)
    const forward = new service.ForwardMessageToDeadLetterQueueRequest()
      .setGroup(resource(this.#group))
      .setTopic(resource(topic))
      .setMessageId(id)
      .setReceiptHandle(receiptHandle)
      .setDeliveryAttempt(attempt)
      .setMaxDeliveryAttempts(attempt)
    const response = await this.#call<ForwardMessageToDeadLetterQueueResponse>(
      request,
      endpoints,
      (stub, ...rest) => stub.forwardMessageToDeadLetterQueue(forward, ...rest),
    )
    accept(response.getStatus(), request)
  }

  /** Gives up waiting for messages. */
  stopReceiving(): void {
    for (const poll of this.#polls) poll.cancel()
  }

  close(): void {
    this.#retire(this.#client)
  }

  #retire(client: GrpcClient): void {
    for (const stream of this.#streams.values()) stream.cancel()
    this.#streams.clear()
    client.retire()
  }

  #introduction(endpoints: Endpoints): Settings {
    const subscription = new definition.Subscription().setGroup(resource(this.#group))
    for (const { topic, filter } of this.#subscribed) {
      subscription.addSubscriptions(
        new definition.SubscriptionEntry().setTopic(resource(topic)).setExpression(expression(filter)),
      )
    }
    return new definition.Settings()
      .setClientType(ClientType.PUSH_CONSUMER)
      .setAccessPoint(endpoints.toProtobuf())
      .setRequestTimeout(duration(this.#settings.connectTimeoutMs))
      .setSubscription(subscription)
      .setUserAgent(new definition.UA().setLanguage(definition.Language.NODE_JS))
  }

  #request(address: string, topic?: string): Request {
    return { address, group: this.#group, ...(topic !== undefined && { topic }) }
  }

  async #call<Response>(
    request: Request,
    endpoints: Endpoints,
    start: Parameters<typeof GrpcClient.prototype.call<Response>>[2],
  ): Promise<Response> {
    try {
      return await this.#client.call<Response>(endpoints, this.#settings.connectTimeoutMs, start)
    } catch (thrown) {
      throw grpcError(thrown, request)
    }
  }
}

interface Status {
  getCode(): number
  getMessage(): string
}

const READABLE = new Set<number>([Permission.READ, Permission.READ_WRITE])

function accept(status: Status | undefined, request: Request): void {
  const code = status?.getCode()
  if (code === Code.OK) return
  throw grpcRefusal(
    { code: code ?? Code.CODE_UNSPECIFIED, message: status?.getMessage() ?? 'an answer without status' },
    request,
  )
}

function groupSettings(settings: Settings): GroupSettings {
  const policy = settings.getBackoffPolicy()
  const exponential = policy?.getExponentialBackoff()
  const table = policy?.getCustomizedBackoff()?.getNextList().map(milliseconds) ?? []
  return {
    isOrdered: settings.getSubscription()?.getFifo() ?? false,
    delayMs(attempt) {
      if (exponential) {
        const [initial, most] = [milliseconds(exponential.getInitial()), milliseconds(exponential.getMax())]
        return Math.min(initial * exponential.getMultiplier() ** (attempt - 1), most)
      }
      return table[Math.min(attempt, table.length) - 1] ?? DEFAULT_DELAY_MS
    },
  }
}

/** For servers that say nothing about it. */
const DEFAULT_DELAY_MS = 10_000

function expression(filter: MessageFilter | undefined) {
  const isSql = filter !== undefined && 'sql' in filter
  return new definition.FilterExpression()
    .setType(isSql ? FilterType.SQL : FilterType.TAG)
    .setExpression(expressionOf(filter))
}

function milliseconds(value: { getSeconds(): number; getNanos(): number } | undefined): number {
  return value ? value.getSeconds() * 1000 + value.getNanos() / 1_000_000 : 0
}
