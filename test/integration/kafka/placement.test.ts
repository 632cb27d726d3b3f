import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Partitioners } from 'kafkajs'
import { message } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic, withAdmin } from '../../helpers/kafka.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers

test('every receipt names the place where the message lies', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 3 })
  const connection = kafkaConnection(t, bootstrapServers)
  const values = Array.from({ length: 300 }, (_, i) => `${i}`)

  const receipts = await Promise.all(
    values.map((value, i) =>
      connection.publish(message(topic, value, i % 2 ? { key: Buffer.from(`key ${i % 7}`) } : {})),
    ),
  )

  const log = await readTopic(bootstrapServers, topic, 300)
  const byPlace = new Map(log.map((entry) => [`${entry.partition}@${entry.offset}`, entry]))
  receipts.forEach((receipt, i) => {
    assert.equal(receipt.kind, 'kafka')
    const entry = byPlace.get(`${receipt.partition}@${receipt.offset}`)
    assert.equal(String(entry?.value), values[i])
    assert.equal(entry?.timestamp, receipt.timestamp)
  })
})

test('a key leads to the partition where other Kafka clients put it', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 7 })
  const connection = kafkaConnection(t, bootstrapServers)
  const partitionOf = Partitioners.DefaultPartitioner()
  const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
  }))
  const keys = ['', 'a', 'ab', 'abc', 'Bestellung-4711', '订单', randomUUID(), randomUUID(), randomUUID()]

  for (const key of keys) {
    const outbound = message(topic, 'x', { key: Buffer.from(key) })
    const receipt = await connection.publish(outbound)
    assert.equal(receipt.kind, 'kafka')
    const expected = partitionOf({
      topic,
      partitionMetadata,
      message: { key: Buffer.from(key), value: null },
    })
    assert.equal(receipt.partition, expected, `key "${key}"`)
  }
})

test('an explicit partition wins over the key', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 3 })
  const connection = kafkaConnection(t, bootstrapServers)

  for (const partition of [0, 1, 2]) {
    const receipt = await connection.publish(message(topic, 'x', { key: Buffer.from('same'), partition }))
    assert.equal(receipt.kind === 'kafka' && receipt.partition, partition)
  }
})

test('messages without key spread over all partitions, one by one and many at once', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 3 })
  const connection = kafkaConnection(t, bootstrapServers)
  const counts = [0, 0, 0]
  const publish = async () => {
    const receipt = await connection.publish(message(topic, 'x'))
    if (receipt.kind === 'kafka') counts[receipt.partition] = (counts[receipt.partition] ?? 0) + 1
  }

  for (let i = 0; i < 30; i++) await publish()
  assert.deepEqual(counts, [10, 10, 10])

  const publishMany = async () => {
    for (let i = 0; i < 30; i++) await publish()
  }
  await Promise.all(Array.from({ length: 50 }, publishMany))
  for (const count of counts) assert.ok(count > 200, `${counts}`)
})

test('a null value is a tombstone, and headers keep their bytes and repetitions', async (t) => {
  const topic = await createTopic(bootstrapServers)
  const connection = kafkaConnection(t, bootstrapServers)
  const binary = Buffer.from([0, 255, 254, 128])

  await connection.publish({
    topic,
    requestId: randomUUID(),
    key: Buffer.from('key'),
    value: null,
    headers: { text: 'Größe', binary, many: ['one', Buffer.from('two'), ''], none: [] },
    timestamp: 1_700_000_000_123,
  })

  const [entry] = await readTopic(bootstrapServers, topic, 1)
  assert.equal(entry?.value, null)
  assert.equal(entry?.timestamp, '1700000000123')
  assert.deepEqual(entry?.headers, {
    text: Buffer.from('Größe'),
    binary,
    many: [Buffer.from('one'), Buffer.from('two'), Buffer.alloc(0)],
  })
})

test('messages of one batch keep times of their own, far apart and in any order', async (t) => {
  const topic = await createTopic(bootstrapServers)
  const connection = kafkaConnection(t, bootstrapServers)
  const times = [1_600_000_000_123, 0, 1_700_000_000_000, 1]

  await Promise.all(times.map((timestamp) => connection.publish(message(topic, 'x', { timestamp }))))

  const log = await readTopic(bootstrapServers, topic, times.length)
  assert.deepEqual(
    log.map(({ timestamp }) => Number(timestamp)),
    times,
  )
})

test('the receipt carries the time at which a topic with log append time stored the message', async (t) => {
  const topic = await createTopic(bootstrapServers, { config: { 'message.timestamp.type': 'LogAppendTime' } })
  const connection = kafkaConnection(t, bootstrapServers)

  const receipt = await connection.publish(message(topic, 'x', { timestamp: 1 }))

  const [entry] = await readTopic(bootstrapServers, topic, 1)
  assert.equal(receipt.kind === 'kafka' && receipt.timestamp, entry?.timestamp)
  assert.notEqual(entry?.timestamp, '1')
})

test('a topic made on demand takes the first messages', async (t) => {
  const topic = `test-${randomUUID()}`
  const connection = kafkaConnection(t, bootstrapServers)

  await Promise.all(Array.from({ length: 10 }, (_, i) => connection.publish(message(topic, `${i}`))))

  assert.equal((await readTopic(bootstrapServers, topic, 10)).length, 10)
})

test('partitions added later are noticed when one is asked for', async (t) => {
  const topic = await createTopic(bootstrapServers)
  const connection = kafkaConnection(t, bootstrapServers)
  await connection.publish(message(topic, 'x'))
  await withAdmin(bootstrapServers, (admin) =>
    admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }),
  )

  const receipt = await connection.publish(message(topic, 'y', { partition: 1 }))

  assert.equal(receipt.kind === 'kafka' && receipt.partition, 1)
})

for (const acks of ['leader', 'none']) {
  test(`acks ${acks} publishes everything, ${acks === 'none' ? 'without' : 'with'} offsets`, async (t) => {
    const topic = await createTopic(bootstrapServers, { partitions: 3 })
    const connection = kafkaConnection(t, bootstrapServers, { acks })

    const receipts = await Promise.all(
      Array.from({ length: 100 }, (_, i) => connection.publish(message(topic, `${i}`))),
    )

    assert.equal((await readTopic(bootstrapServers, topic, 100)).length, 100)
    for (const receipt of receipts) {
      assert.equal(receipt.kind === 'kafka' && receipt.offset === null, acks === 'none')
    }
  })
}
