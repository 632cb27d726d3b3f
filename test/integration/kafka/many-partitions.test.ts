import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure, message } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { watchedSockets } from '../../helpers/kafka-sockets.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers

test('messages ready for a hundred partitions share few requests', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 100 })
  let requests = 0
  const connection = kafkaConnection(
    t,
    bootstrapServers,
    {},
    watchedSockets(() => requests++),
  )
  const values = Array.from({ length: 1000 }, (_, i) => `${i}`)

  const receipts = await Promise.all(
    values.map((value, i) => connection.publish(message(topic, value, { partition: i % 100 }))),
  )

  assert.ok(requests <= 20, `${requests} requests for ${values.length} messages`)
  const log = await readTopic(bootstrapServers, topic, values.length)
  const byPlace = new Map(log.map((entry) => [`${entry.partition}@${entry.offset}`, String(entry.value)]))
  const found = receipts.map((receipt) =>
    receipt.kind === 'kafka' ? byPlace.get(`${receipt.partition}@${receipt.offset}`) : undefined,
  )
  assert.deepEqual(found, values)
  assert.equal(log.length, values.length)
})

test('messages ready for twenty topics share few requests', async (t) => {
  const topics = await Promise.all(Array.from({ length: 20 }, () => createTopic(bootstrapServers)))
  let requests = 0
  const connection = kafkaConnection(
    t,
    bootstrapServers,
    {},
    watchedSockets(() => requests++),
  )

  await Promise.all(
    Array.from({ length: 400 }, (_, i) => connection.publish(message(topics[i % 20] ?? '', `${i}`))),
  )

  assert.ok(requests <= 20, `${requests} requests for 400 messages`)
})

test('a batch refused beside others in one request costs them neither a message nor a duplicate', async (t) => {
  const small = await createTopic(bootstrapServers, { config: { 'max.message.bytes': '1000' } })
  const topics = await Promise.all(Array.from({ length: 5 }, () => createTopic(bootstrapServers)))
  const connection = kafkaConnection(t, bootstrapServers)
  const everywhere = (text: string) => topics.map((topic) => connection.publish(message(topic, text)))
  await Promise.all(everywhere('before'))

  const [refused, ...good] = await Promise.allSettled([
    connection.publish(message(small, 'x'.repeat(2000))),
    ...everywhere('beside'),
  ])
  await Promise.all(everywhere('after'))

  assert.equal(failure(refused).code, 'MESSAGE_TOO_LARGE')
  assert.deepEqual(new Set(good.map(({ status }) => status)), new Set(['fulfilled']))
  for (const topic of topics) {
    const log = await readTopic(bootstrapServers, topic, 3)
    assert.deepEqual(
      log.map(({ value }) => String(value)),
      ['before', 'beside', 'after'],
    )
  }
})
