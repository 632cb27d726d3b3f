import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic, withAdmin } from '../../helpers/kafka.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers

test('a message too large among 500 good ones is refused alone, naming the limit of the topic', async (t) => {
  const topic = await createTopic(bootstrapServers, {
    partitions: 3,
    config: { 'max.message.bytes': '100000' },
  })
  const connection = kafkaConnection(t, bootstrapServers)
  const good = Array.from({ length: 500 }, (_, i) =>
    message(topic, `${i}`.padEnd(400), { key: Buffer.from(`key ${i % 20}`) }),
  )
  const tooLarge = message(topic, 'x'.repeat(150_000), { key: Buffer.from('key 7') })
  const all = [...good.slice(0, 250), tooLarge, ...good.slice(250)]

  const outcomes = await Promise.allSettled(all.map((outbound) => connection.publish(outbound)))

  const refused = all.filter((_, i) => outcomes[i]?.status === 'rejected')
  assert.deepEqual(refused, [tooLarge])
  const error = failure(outcomes[250])
  assert.equal(error.code, 'MESSAGE_TOO_LARGE')
  assert.match(error.message, /max\.message\.bytes is 100000/)
  const log = await readTopic(bootstrapServers, topic, 500)
  for (let key = 0; key < 20; key++) {
    const isOfKey = (entry: { key?: Buffer | null | undefined }) => String(entry.key) === `key ${key}`
    assert.deepEqual(
      log.filter(isOfKey).map(({ value }) => value),
      good.filter(isOfKey).map(({ value }) => value),
    )
  }
})

test('messages that are small one by one are published though together they exceed the limit of the topic', async (t) => {
  const topic = await createTopic(bootstrapServers, { config: { 'max.message.bytes': '20000' } })
  const connection = kafkaConnection(t, bootstrapServers)
  const values = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(5000))

  await Promise.all(values.map((value) => connection.publish(message(topic, value))))

  const log = await readTopic(bootstrapServers, topic, 60)
  assert.deepEqual(
    log.map(({ value }) => String(value)),
    values,
  )
})

test('a message without key is refused alone by a compacted topic', async (t) => {
  const topic = await createTopic(bootstrapServers, { config: { 'cleanup.policy': 'compact' } })
  const connection = kafkaConnection(t, bootstrapServers)

  const outcomes = await Promise.allSettled([
    connection.publish(message(topic, 'a', { key: Buffer.from('a') })),
    connection.publish(message(topic, 'without key')),
    connection.publish(message(topic, 'b', { key: Buffer.from('b') })),
  ])

  assert.equal(failure(outcomes[1]).code, 'BROKER_REFUSED')
  assert.deepEqual(
    (await readTopic(bootstrapServers, topic, 2)).map(({ value }) => String(value)),
    ['a', 'b'],
  )
})

test('a partition the topic does not have is refused, naming those it has', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 3 })
  const connection = kafkaConnection(t, bootstrapServers)

  const [inside, outside] = await Promise.allSettled([
    connection.publish(message(topic, 'a', { partition: 2 })),
    connection.publish(message(topic, 'b', { partition: 3 })),
  ])

  assert.equal(inside.status, 'fulfilled')
  const error = failure(outside)
  assert.equal(error.code, 'PARTITION_UNKNOWN')
  assert.match(error.message, /no partition 3: use 0 to 2/)
})

test('a topic name Kafka does not accept is refused and disturbs no other topic', async (t) => {
  const topic = await createTopic(bootstrapServers)
  const connection = kafkaConnection(t, bootstrapServers)

  const [invalid, ...good] = await Promise.allSettled([
    connection.publish(message('not a topic!', 'x')),
    ...Array.from({ length: 20 }, (_, i) => connection.publish(message(topic, `${i}`))),
  ])

  assert.equal(failure(invalid).code, 'TOPIC_INVALID')
  assert.deepEqual(new Set(good.map(({ status }) => status)), new Set(['fulfilled']))
})

test('a topic deleted and made anew with fewer partitions takes messages again', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 3 })
  const connection = kafkaConnection(t, bootstrapServers)
  await connection.publish(message(topic, 'before', { partition: 2 }))
  await recreate(topic)

  const outcome = await settled(connection.publish(message(topic, 'gone', { partition: 2 })))

  assert.equal(failure(outcome).retryable, true)
  await connection.publish(message(topic, 'after', { partition: 0 }))
  assert.deepEqual(
    (await readTopic(bootstrapServers, topic, 1)).map(({ value }) => String(value)),
    ['after'],
  )
})

test('after close nothing more is taken', async (t) => {
  const connection = kafkaConnection(t, bootstrapServers)
  await connection.close()

  const outcome = await settled(connection.publish(message(`test-${randomUUID()}`, 'late')))

  assert.equal(failure(outcome).code, 'BROKER_UNREACHABLE')
})

async function recreate(topic: string): Promise<void> {
  await withAdmin(bootstrapServers, async (admin) => {
    await admin.deleteTopics({ topics: [topic] })
    while ((await admin.listTopics()).includes(topic));
    // With ZooKeeper a topic that is listed no more is not deleted yet, and its name is still taken.
    while (!(await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })));
  })
}
