import assert from 'node:assert/strict'
import type net from 'node:net'
import { type TestContext, test } from 'node:test'
import { openSocket } from '../../../src/brokers/kafka/client.js'
import { message } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { runKafkaJava } from '../../helpers/kafka-java.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers
/** What a shop might send: alike, but no two the same. */
const orders = Array.from({ length: 1500 }, (_, i) =>
  JSON.stringify({
    order: i,
    customer: `customer ${i % 90}`,
    note: 'leave it at the door, please'.repeat(9),
  }),
)

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`${compression}: what is sent in large batches is small on the way, and whole for Java's consumer and kafkajs`, async (t) => {
    const topic = await createTopic(bootstrapServers)
    const { connection, bytesWritten } = counted(t, compression)

    await Promise.all(orders.map((order) => connection.publish(message(topic, order))))

    const bytes = orders.reduce((sum, order) => sum + order.length, 0)
    assert.ok(bytesWritten() < bytes / 3, `${bytesWritten()} of ${bytes} bytes`)
    assert.deepEqual(await consumeWithJava(topic, orders.length), orders)
    const log = await readTopic(bootstrapServers, topic, orders.length)
    assert.deepEqual(
      log.map(({ value }) => String(value)),
      orders,
    )
  })

  test(`${compression}: messages that are empty, null, one byte or cannot be compressed arrive as they are`, async (t) => {
    const topic = await createTopic(bootstrapServers)
    const connection = kafkaConnection(t, bootstrapServers, { compression })
    const noise = Buffer.from(Array.from({ length: 300_000 }, () => Math.floor(Math.random() * 256)))
    const values = [Buffer.alloc(0), null, Buffer.from('x'), noise]

    for (const value of values) await connection.publish({ ...message(topic, ''), value })

    const log = await readTopic(bootstrapServers, topic, values.length)
    assert.deepEqual(
      log.map(({ value }) => value),
      values,
    )
  })

  test(`${compression}: large batches of Java's producer can be read`, async () => {
    const topic = await createTopic(bootstrapServers)
    const repetitive = Array.from({ length: 40 }, (_, i) => `${i}`.repeat(60_000))
    const values = [...orders.slice(0, 300), ...repetitive]
    const input = values.map((value) => ` ${Buffer.from(value).toString('base64')}\n`).join('')

    await runKafkaJava('Produce.java', [bootstrapServers, topic, compression], input)

    const log = await readTopic(bootstrapServers, topic, values.length)
    assert.deepEqual(
      log.map(({ value }) => String(value)),
      values,
    )
  })
}

/** A connection, and how many bytes went out on all its sockets. */
function counted(t: TestContext, compression: string) {
  const sockets: net.Socket[] = []
  const connection = kafkaConnection(t, bootstrapServers, { compression }, (args) => {
    const socket = openSocket(args)
    sockets.push(socket)
    return socket
  })
  return { connection, bytesWritten: () => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0) }
}

async function consumeWithJava(topic: string, count: number): Promise<string[]> {
  const out = await runKafkaJava('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', bootstrapServers, '--topic', topic, '--from-beginning'],
    ...['--max-messages', String(count), '--timeout-ms', '20000'],
  ])
  return out.trimEnd().split('\n')
}
