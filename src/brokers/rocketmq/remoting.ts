import type MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { isToBeCompressed } from './compression.js'
import { DeliveryTimes } from './delivery-times.js'
import { remotingError } from './errors.js'
import type { CheckedMessage } from './message.js'
import { closeClient, openClient } from './remoting-client.js'
import { AUTO_CREATE_TOPIC, AUTO_CREATED_QUEUES, sendCommand, storedOf } from './remoting-send.js'
import { isTopicUnknown } from './routes.js'
import { type RocketmqSettings, withNamespace } from './settings.js'
import { byBrokerAndId, type Queue, type Route, type Stored, type Wire } from './wire.js'

/** Every broker registers it at start-up. */
const SELF_TEST_TOPIC = 'SELF_TEST_TOPIC'
const MASTER = '0'
const WRITABLE = 0b10

type RouteData = NonNullable<Awaited<ReturnType<MQClientAPI['getTopicRouteInfoFromNameServer']>>>

/**
 * The name server protocol, spoken through the request layer of ali-ons. Its producer is left out on purpose: it
 * shares clients between name servers, changes bodies and ids on retries and keeps a hidden client open for ever.
 */
export class RemotingWire implements Wire<Queue> {
  readonly topicLagMs = 0
  readonly #settings: RocketmqSettings
  readonly #client: MQClientAPI
  readonly #deliveryTimes: DeliveryTimes

  constructor(settings: RocketmqSettings, log: Log) {
    this.#settings = settings
    this.#client = openClient(settings, log)
    this.#deliveryTimes = new DeliveryTimes(this.#client)
  }

  async route(topic: string, timeoutMs: number): Promise<Route<Queue>> {
    const partMs = timeoutMs / 3
    const physical = withNamespace(topic, this.#settings)
    try {
      return { queues: writable(await this.#askForRoute(physical, partMs), topic), provisional: false }
    } catch (error) {
      if (!isTopicUnknown(error)) throw error
      const queues = await this.#queuesToBe(topic, partMs)
      if (queues) return { queues, provisional: true }
      // A name server forgets the topics of brokers that are down, which is no reason to refuse a message for good.
      await this.#masters(partMs)
      throw error
    }
  }

  /** A batch lies in one queue, brokers delay none of its messages, and all are compressed or none. */
  company(message: CheckedMessage, queue?: Queue): string | undefined {
    const { producerGroup, delayLevel, deliverAt, body } = message
    if ((delayLevel ?? deliverAt) !== undefined) return undefined
    const { compressOverBytes } = this.#settings
    return `${producerGroup} ${isToBeCompressed(body, compressOverBytes)} ${queue ? `${queue.broker} ${queue.id}` : ''}`
  }

  async send(messages: readonly CheckedMessage[], queue: Queue, timeoutMs: number): Promise<Stored[]> {
    const [first] = messages
    if (!first) return []
    const { address } = queue
    try {
      if (first.deliverAt !== undefined) await this.#deliveryTimes.require(address, timeoutMs)
      const command = await sendCommand(messages, {
        producerGroup: withNamespace(first.producerGroup, this.#settings),
        topic: withNamespace(first.topic, this.#settings),
        queueId: queue.id,
        compressOverBytes: this.#settings.compressOverBytes,
      })
      return storedOf(await this.#client.invoke(address, command, timeoutMs), messages.length)
    } catch (thrown) {
      throw remotingError(thrown, { address, topic: first.topic })
    }
  }

  /** A name server accepts anybody, so every master broker is asked for a sign of life as well. */
  async check(timeoutMs: number): Promise<void> {
    const halfMs = timeoutMs / 2
    const masters = await this.#masters(halfMs)
    const group = withNamespace(this.#settings.producerGroup, this.#settings)
    const heartbeat = { clientID: group, producerDataSet: [{ groupName: group }], consumerDataSet: [] }
    await Promise.all(
      masters.map((address) =>
        this.#client.sendHearbeat(address, heartbeat, halfMs).catch((thrown: unknown) => {
          throw remotingError(thrown, { address })
        }),
      ),
    )
  }

  async close(): Promise<void> {
    await closeClient(this.#client)
  }

  async #askForRoute(topic: string, timeoutMs: number): Promise<RouteData> {
    const { addresses } = this.#settings
    const request = { address: addresses.join(';'), topic }
    // Before that the library has no name server to ask, and says so by an error without a reason.
    await this.#client.ready()
    try {
      // The name servers are asked one after the other, so that each gets its part of the time.
      const route = await this.#client.getTopicRouteInfoFromNameServer(topic, timeoutMs / addresses.length)
      if (route) return route
    } catch (thrown) {
      throw remotingError(thrown, request)
    }
    throw new RelayError(
      'BROKER_UNAVAILABLE',
      `the name server at ${request.address} gave an empty route for ${topic}`,
    )
  }

  /** The queues brokers will give a topic with its first message; undefined: they create none. */
  async #queuesToBe(topic: string, timeoutMs: number): Promise<Queue[] | undefined> {
    try {
      const queues = writable(await this.#askForRoute(AUTO_CREATE_TOPIC, timeoutMs), topic)
      return queues.filter((queue) => queue.id < AUTO_CREATED_QUEUES)
    } catch (error) {
      if (isTopicUnknown(error)) return undefined
      throw error
    }
  }

  /** Addresses of all running master brokers. @throws RelayError BROKER_UNAVAILABLE when there is none. */
  async #masters(timeoutMs: number): Promise<string[]> {
    let route: RouteData | undefined
    try {
      route = await this.#askForRoute(SELF_TEST_TOPIC, timeoutMs)
    } catch (error) {
      if (!isTopicUnknown(error)) throw error
    }
    const masters = (route?.brokerDatas ?? []).flatMap(({ brokerAddrs }) => brokerAddrs[MASTER] ?? [])
    if (masters.length > 0) return masters
    const names = this.#settings.addresses.join(';')
    throw new RelayError('BROKER_UNAVAILABLE', `the name server at ${names} knows no running broker`)
  }
}

/** @throws RelayError BROKER_UNAVAILABLE when no master broker takes messages for the topic. */
function writable(route: RouteData, topic: string): Queue[] {
  const masters = new Map(
    route.brokerDatas.map(({ brokerName, brokerAddrs }) => [brokerName, brokerAddrs[MASTER]]),
  )
  const queues = route.queueDatas.flatMap(({ brokerName, perm, writeQueueNums }) => {
    const address = masters.get(brokerName)
    if (address === undefined || (perm & WRITABLE) === 0) return []
    return Array.from({ length: writeQueueNums }, (_, id) => ({ broker: brokerName, id, address }))
  })
  if (queues.length > 0) return queues.sort(byBrokerAndId)
  throw new RelayError('BROKER_UNAVAILABLE', `no running broker takes messages for topic "${topic}"`)
}
