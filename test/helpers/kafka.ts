import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import kafkajs, { type Admin, type ISocketFactory, Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import type { BrokerConnection } from '../../src/brokers/broker.js'
import { createKafkaDriver } from '../../src/brokers/kafka/driver.js'
import { silentLog } from '../../src/core/log.js'
import type { Subscribe } from './consuming.js'

export type ReadMessage = KafkaMessage & { partition: number }

/** A topic, by default of a random name; resolves to the name once every partition takes messages. */
export async function createTopic(
  bootstrapServers: string,
  {
    name: topic = `test-${randomUUID()}`,
    partitions = 1,
    config = {},
  }: {
    name?: string
    partitions?: number
    config?: Record<string, string>
  } = {},
): Promise<string> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await withAdmin(bootstrapServers, async (admin) => {
    // kafkajs waits for leaders too, but gives up on a broker that has not heard of the topic yet.
    await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, configEntries }],
      waitForLeaders: false,
    })
    await offsets(admin, topic)
  })
  return topic
}

/**
 * Every message of the topic, in order within each partition, once at least `count` are there and the log's end
 * is reached.
 */
export async function readTopic(
  bootstrapServers: string,
  topic: string,
  count: number,
): Promise<ReadMessage[]> {
  const ends = await withAdmin(bootstrapServers, async (admin) => {
    for (;;) {
      const found = await offsets(admin, topic)
      if (found.reduce((sum, { high }) => sum + Number(high), 0) >= count) return found
    }
  })
  const left = new Map(
    ends.filter(({ high }) => high !== '0').map(({ partition, high }) => [partition, high]),
  )
  const messages: ReadMessage[] = []
  if (left.size === 0) return messages
  const consumer = client(bootstrapServers).consumer({ groupId: `test-${randomUUID()}` })
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      // A broker that has just started cannot serve groups yet; kafkajs then tries again by itself.
      consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            messages.push({ ...message, partition })
            if (BigInt(message.offset) + 1n === BigInt(left.get(partition) ?? 0)) left.delete(partition)
            if (left.size === 0) resolve()
          },
        })
        .catch(reject)
    })
    return messages
  } finally {
    await consumer.disconnect()
  }
}

/** The ends of all partitions, once each has a leader that knows it is the leader. */
function offsets(admin: Admin, topic: string): ReturnType<Admin['fetchTopicOffsets']> {
  return persistently(() => admin.fetchTopicOffsets(topic))
}

/** Asks again while the brokers say that this may pass, such as those that have not heard of a topic yet. */
export async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof kafkajs.KafkaJSError && error.retriable)) throw error
    }
  }
}

/** A consumer in a group of its own that has its partitions; it leaves at the end of the test, or when told. */
export async function consumeInGroup(
  t: TestContext,
  bootstrapServers: string,
  topic: string,
): Promise<{ group: string; clientId: string; leave: () => Promise<void> }> {
  const group = `test-${randomUUID()}`
  const clientId = `client-${randomUUID()}`
  const consumer = client(bootstrapServers, clientId).consumer({ groupId: group })
  t.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic })
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
  await consumer.run({ eachMessage: async () => undefined })
  await joined
  return { group, clientId, leave: () => consumer.disconnect() }
}

/** One message, followed in the log by the mark of its transaction, which is committed unless told otherwise. */
export async function publishInTransaction(
  bootstrapServers: string,
  topic: string,
  value: string,
  end: 'commit' | 'abort' = 'commit',
): Promise<void> {
  const producer = client(bootstrapServers).producer({
    transactionalId: `test-${randomUUID()}`,
    idempotent: true,
  })
  await producer.connect()
  try {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value }] })
    await transaction[end]()
  } finally {
    await producer.disconnect()
  }
}

export async function withAdmin<T>(bootstrapServers: string, act: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client(bootstrapServers).admin()
  await admin.connect()
  try {
    return await act(admin)
  } finally {
    await admin.disconnect()
  }
}

function client(bootstrapServers: string, clientId = 'test'): Kafka {
  return new Kafka({
    clientId,
    brokers: bootstrapServers.split(','),
    logLevel: logLevel.NOTHING,
    // A broker that has just come back is still loading what it knows of groups.
    retry: { retries: 20, maxRetryTime: 1000 },
  })
}

/** A connection of the driver under test, closed at the end of the test. */
export function kafkaConnection(
  t: TestContext,
  bootstrapServers: string,
  settings: Record<string, unknown> = {},
  socketFactory?: ISocketFactory,
): BrokerConnection {
  const driver = createKafkaDriver(socketFactory && { socketFactory })
  const connection = driver.connect(driver.parse(bootstrapServers, settings), {
    adapter: t.name,
    log: silentLog,
  })
  t.after(() => connection.close())
  return connection
}

/** Consumes by the driver under test. */
export function subscribeTo(
  bootstrapServers: string,
  settings: Record<string, unknown> = {},
  socketFactory?: ISocketFactory,
): Subscribe {
  const driver = createKafkaDriver(socketFactory && { socketFactory })
  const parsed = driver.parse(bootstrapServers, settings)
  return (source, handle) => driver.subscribe(parsed, source, handle, { adapter: 'test', log: silentLog })
}
