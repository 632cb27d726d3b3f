import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import MQClientAPI, { type PulledMessage } from 'ali-ons/lib/mq_client_api.js'
import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { type MessageView, SimpleConsumer } from 'rocketmq-client-nodejs'
import type { BrokerConnection } from '../../src/brokers/broker.js'
import { createRocketmqDriver } from '../../src/brokers/rocketmq/driver.js'
import { messageOf } from '../../src/core/errors.js'
import { type Log, silentLog } from '../../src/core/log.js'
import type { Subscribe } from './consuming.js'
import { waitFor } from './wait-for.js'

export interface ReadMessage {
  queueId: number
  queueOffset: string
  /** Milliseconds since 1970 at which consumers could see it. */
  storedAt: number
  body: Buffer
  /** As the receipt of the one who sent it names it. */
  messageId: string | undefined
  properties: Record<string, string | null>
}

const GROUP = 'test-reader'
const TIMEOUT_MS = 5000
const READ_LIMIT_MS = 30_000
const UPDATE_AND_CREATE_TOPIC = 17
const UPDATE_AND_CREATE_SUBSCRIPTION_GROUP = 200
const AUTH_UPDATE_ACL = 3007
const READ_AND_WRITE = 0b110
/** Take the subscription from the request itself; no consumer need be registered. */
const WITH_SUBSCRIPTION = 0b100

const noLog = { debug() {}, info() {}, warn() {}, error() {} }

/** A connection of the driver under test, closed with the test. */
export function connect(
  t: TestContext,
  address: string,
  settings: Record<string, unknown> = {},
  log: Log = silentLog,
): BrokerConnection {
  const driver = createRocketmqDriver()
  const connection = driver.connect(driver.parse(address, settings), { adapter: 'test', log })
  t.after(() => connection.close())
  return connection
}

/** `subscribe` of the driver under test. */
export function subscribeOver(address: string, settings: Record<string, unknown> = {}): Subscribe {
  const driver = createRocketmqDriver()
  const parsed = driver.parse(address, settings)
  return (source, handle) => driver.subscribe(parsed, source, handle, { adapter: 'test', log: silentLog })
}

/** A topic on every broker; resolves to its name once the name server knows it. */
export async function createTopic(
  nameServer: string,
  { queues = 4, type = 'NORMAL', name = `test-${randomUUID()}`, credentials }: TopicOptions = {},
): Promise<string> {
  await withClient(
    nameServer,
    async (client) => {
      for (const address of await masters(client)) {
        const command = RemotingCommand.createRequestCommand(UPDATE_AND_CREATE_TOPIC, {
          topic: name,
          defaultTopic: 'TBW102',
          readQueueNums: queues,
          writeQueueNums: queues,
          perm: READ_AND_WRITE,
          topicFilterType: 'SINGLE_TAG',
          topicSysFlag: 0,
          order: false,
          attributes: `+message.type=${type}`,
        })
        const answer = await client.invoke(address, command, TIMEOUT_MS)
        assert.equal(answer.code, 0, answer.remark)
      }
      await until(`topic ${name} exists`, () => queuesOf(client, name))
    },
    credentials,
  )
  return name
}

/** A consumer group whose messages proxies hand out in order; resolves to its name. */
export async function createOrderedGroup(nameServer: string): Promise<string> {
  const groupName = `test-${randomUUID()}`
  await withClient(nameServer, async (client) => {
    for (const address of await masters(client)) {
      const command = RemotingCommand.createRequestCommand(UPDATE_AND_CREATE_SUBSCRIPTION_GROUP, {})
      command.body = Buffer.from(
        JSON.stringify({ groupName, consumeMessageOrderly: true, retryQueueNums: 1, retryMaxTimes: 16 }),
      )
      const answer = await client.invoke(address, command, TIMEOUT_MS)
      assert.equal(answer.code, 0, answer.remark)
    }
  })
  return groupName
}

/** Lets a user of RocketMQ 5's access control do this with a resource, such as `Topic:orders`, on every broker. */
export async function permit(
  nameServer: string,
  credentials: Credentials,
  { user, resource, actions }: { user: string; resource: string; actions: string[] },
): Promise<void> {
  const subject = `User:${user}`
  const entries = [{ resource, actions, sourceIps: [], decision: 'Allow' }]
  await withClient(
    nameServer,
    async (client) => {
      for (const address of await masters(client)) {
        const command = RemotingCommand.createRequestCommand(AUTH_UPDATE_ACL, { subject })
        command.body = Buffer.from(JSON.stringify({ subject, policies: [{ policyType: 'Custom', entries }] }))
        const answer = await client.invoke(address, command, TIMEOUT_MS)
        assert.equal(answer.code, 0, answer.remark)
      }
    },
    credentials,
  )
}

interface TopicOptions {
  queues?: number
  type?: 'NORMAL' | 'FIFO' | 'DELAY'
  name?: string
  credentials?: Credentials
}

interface Credentials {
  accessKey: string
  secretKey: string
}

/** Every message of the topic, in order within each queue, once at least `count` are there. */
export async function readTopic(nameServer: string, topic: string, count: number): Promise<ReadMessage[]> {
  return withClient(nameServer, async (client) => {
    let messages: ReadMessage[] = []
    await until(`${count} messages of ${topic}`, async () => {
      const queues = await queuesOf(client, topic)
      messages = (await Promise.all(queues.map((queue) => readQueue(client, topic, queue)))).flat()
      if (messages.length < count) throw new Error(`${messages.length} so far`)
    })
    return messages
  })
}

/** The first `count` messages a consumer of the gRPC proxy gets; another client library than `readTopic`'s. */
export async function consumeOverGrpc(proxy: string, topic: string, count: number): Promise<MessageView[]> {
  const consumer = new SimpleConsumer({
    endpoints: proxy,
    namespace: '',
    consumerGroup: `test-${randomUUID()}`,
    subscriptions: new Map([[topic, '*']]),
    // The proxy refuses to wait for less than five seconds.
    awaitDuration: 10_000,
    logger: noLog,
  })
  await consumer.startup()
  try {
    const messages: MessageView[] = []
    await until(`${count} messages of ${topic} over gRPC`, async () => {
      messages.push(...(await consumer.receive(16, 30_000)))
      if (messages.length < count) throw new Error(`${messages.length} so far`)
    })
    return messages
  } finally {
    await consumer.shutdown()
  }
}

/** The `host:port` at which the one broker takes messages. */
export async function brokerAddress(nameServer: string): Promise<string> {
  const [address] = await withClient(nameServer, masters)
  assert.ok(address)
  return address
}

interface QueueOfTopic {
  address: string
  id: number
}

async function queuesOf(client: MQClientAPI, topic: string): Promise<QueueOfTopic[]> {
  const route = await client.getTopicRouteInfoFromNameServer(topic, TIMEOUT_MS)
  return (route?.queueDatas ?? []).flatMap(({ brokerName, readQueueNums }) => {
    const address = route?.brokerDatas.find((broker) => broker.brokerName === brokerName)?.brokerAddrs['0']
    assert.ok(address)
    return Array.from({ length: readQueueNums }, (_, id) => ({ address, id }))
  })
}

async function readQueue(client: MQClientAPI, topic: string, queue: QueueOfTopic): Promise<ReadMessage[]> {
  const messages: ReadMessage[] = []
  for (let offset = 0; ; ) {
    const { pullStatus, nextBeginOffset, msgFoundList } = await client.pullMessage(
      queue.address,
      {
        consumerGroup: GROUP,
        topic,
        queueId: queue.id,
        queueOffset: offset,
        maxMsgNums: 32,
        sysFlag: WITH_SUBSCRIPTION,
        commitOffset: 0,
        suspendTimeoutMillis: 0,
        subscription: '*',
        subVersion: 0,
        expressionType: 'TAG',
      },
      TIMEOUT_MS,
    )
    if (pullStatus !== 'FOUND') return messages
    messages.push(...msgFoundList.map(asRead))
    offset = nextBeginOffset
  }
}

function asRead(message: PulledMessage): ReadMessage {
  return {
    queueId: message.queueId,
    queueOffset: String(message.queueOffset),
    storedAt: message.storeTimestamp,
    body: message.body,
    messageId: message.properties.UNIQ_KEY ?? undefined,
    properties: message.properties,
  }
}

async function masters(client: MQClientAPI): Promise<string[]> {
  const route = await client.getTopicRouteInfoFromNameServer('SELF_TEST_TOPIC', TIMEOUT_MS)
  return (route?.brokerDatas ?? []).flatMap(({ brokerAddrs }) => brokerAddrs['0'] ?? [])
}

async function withClient<T>(
  nameServer: string,
  use: (client: MQClientAPI) => Promise<T>,
  credentials?: Credentials,
): Promise<T> {
  const client = new MQClientAPI({
    nameSrv: [nameServer],
    httpclient: {},
    logger: noLog,
    connectTimeout: TIMEOUT_MS,
    ...credentials,
  })
  client.on('error', () => undefined)
  await client.ready()
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

/** Tries again until `attempt` succeeds; a broker shows what it was told only after a while. */
async function until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  let cause: unknown
  const look = async () => {
    try {
      return { value: await attempt() }
    } catch (error) {
      cause = error
      return undefined
    }
  }
  const found = await waitFor(what, look, READ_LIMIT_MS).catch((error: unknown) => {
    throw new Error(messageOf(error), { cause })
  })
  return found.value
}
