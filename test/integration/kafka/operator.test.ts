import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { ConsumedMessage, StartPosition } from '../../../src/brokers/operator.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { consume, newGroup } from '../../helpers/consuming.js'
import { consumeInGroup, createTopic, kafkaConnection, subscribeTo } from '../../helpers/kafka.js'
import { kafkaOperator } from '../../helpers/kafka-operator.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const bootstrapServers = testServers().kafka.bootstrapServers

test('the cluster is described with its broker, which is the controller', async (t) => {
  const { clusterId, controller, brokers } = await kafkaOperator(t, bootstrapServers).describeCluster()

  assert.ok(clusterId)
  assert.deepEqual(brokers, [{ id: controller, address: bootstrapServers }])
})

test('a topic is made as ordered, altered in what is named, listed and deleted', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const topic = `test-${randomUUID()}`
  const overridden = async () => {
    const { configs } = await operator.describeTopic(topic)
    return configs.flatMap(({ name, value, isOverridden }) => (isOverridden ? [[name, value]] : []))
  }

  const configs = { 'retention.ms': '60000', 'cleanup.policy': 'compact' }
  await operator.createTopic({ topic, partitions: 2, replicationFactor: 1, configs })
  assert.deepEqual(await overridden(), [
    ['cleanup.policy', 'compact'],
    ['retention.ms', '60000'],
  ])

  await operator.alterTopic(topic, {
    partitions: 4,
    configs: { 'max.message.bytes': '5000' },
    removedConfigs: ['cleanup.policy'],
  })
  assert.deepEqual(await overridden(), [
    ['max.message.bytes', '5000'],
    ['retention.ms', '60000'],
  ])

  const listed = (await operator.listTopics()).find((each) => each.topic === topic)
  assert.deepEqual(listed, { topic, partitions: 4, replicationFactor: 1 })

  await operator.deleteTopic(topic)
  assert.equal(failure(await settled(operator.describeTopic(topic))).code, 'TOPIC_UNKNOWN')
})

test('a topic gets what the broker is configured for where nothing is ordered', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const topic = `test-${randomUUID()}`

  await operator.createTopic({ topic, configs: {} })

  const { partitions } = await operator.describeTopic(topic)
  assert.deepEqual(
    partitions.map(({ partition, replicas }) => [partition, replicas.length]),
    [0, 1, 2].map((partition) => [partition, 1]),
  )
})

test('what the broker refuses is refused with its reason', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const topic = await createTopic(bootstrapServers, { partitions: 2 })
  const fresh = () => `test-${randomUUID()}`
  const change = { configs: {}, removedConfigs: [] }
  const refusals: [code: string, reason: RegExp, asked: Promise<void>][] = [
    ['NAME_TAKEN', /there is a topic/, operator.createTopic({ topic, configs: {} })],
    [
      'BROKER_REFUSED',
      /Replication-?factor/i,
      operator.createTopic({ topic: fresh(), replicationFactor: 9, configs: {} }),
    ],
    ['BROKER_REFUSED', /config/i, operator.createTopic({ topic: fresh(), configs: { 'no.such': '1' } })],
    ['BROKER_REFUSED', /partitions/i, operator.alterTopic(topic, { ...change, partitions: 1 })],
    ['NOT_FOUND', /no consumer group/, operator.describeGroup(fresh()).then(() => undefined)],
  ]

  for (const [code, reason, asked] of refusals) {
    const error = failure(await settled(asked))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, reason)
  }
})

test('a consumer group is described with its members, and deleted once it is empty', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const topic = await createTopic(bootstrapServers)
  const { group, clientId, leave } = await consumeInGroup(t, bootstrapServers, topic)

  const { state, members, partitions } = await operator.describeGroup(group)
  assert.equal(state, 'Stable')
  assert.deepEqual(
    members.map((member) => member.clientId),
    [clientId],
  )
  assert.deepEqual(
    partitions.map(({ memberId }) => memberId),
    [members[0]?.memberId],
  )
  assert.match(failure(await settled(operator.deleteGroup(group))).message, /not empty/)

  await leave()
  await operator.deleteGroup(group)
  assert.ok(!(await operator.listGroups()).some((each) => each.group === group))
})

test('a consumer group is moved while it has no members, and only to where its topic has messages', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const topic = await createTopic(bootstrapServers, { partitions: 2 })
  const connection = kafkaConnection(t, bootstrapServers)
  const start = Date.now()
  for (const [i, partition] of [0, 0, 0, 1].entries()) {
    await connection.publish(message(topic, `${i}`, { partition, timestamp: start + i }))
  }
  const group = newGroup()
  const { messages, subscription } = await consume(t, subscribeTo(bootstrapServers), {
    ...{ group, topics: [{ topic }], from: { at: 'earliest' } },
  })
  const move = (to: StartPosition, partitions?: number[]) =>
    operator.moveGroup({ group, topics: [topic], to, partitions })
  const refusal = async (moving: Promise<unknown>) => failure(await settled(moving))

  await waitFor('all messages', () => messages.length === 4)
  const active = await refusal(move({ at: 'earliest' }))
  assert.equal(active.code, 'GROUP_ACTIVE')
  assert.match(active.message, new RegExp(`${group} has 1 member.*stop its consumers`))
  await subscription.close()

  assert.deepEqual(await move({ at: 'offset', offset: '2' }, [0]), [
    { topic, partition: 0, previous: '3', offset: '2' },
  ])
  assert.deepEqual(await move({ at: 'time', time: start + 1 }), [
    { topic, partition: 0, previous: '2', offset: '1' },
    { topic, partition: 1, previous: '1', offset: '0' },
  ])
  const { partitions } = await operator.describeGroup(group)
  assert.deepEqual(
    partitions.map(({ committedOffset, lag }) => [committedOffset, lag]),
    [
      ['1', '2'],
      ['0', '1'],
    ],
  )
  const outside = await refusal(move({ at: 'offset', offset: '2' }))
  assert.equal(outside.code, 'INPUT_INVALID')
  assert.match(
    outside.message,
    new RegExp(`offset 2 is not in partition 1 of topic ${topic}, which holds 0 to 0`),
  )
  assert.equal((await refusal(move({ at: 'latest' }, [2]))).code, 'PARTITION_UNKNOWN')
  assert.equal(
    (await refusal(operator.moveGroup({ group, topics: [`no-${topic}`], to: { at: 'latest' } }))).code,
    'TOPIC_UNKNOWN',
  )
})

test('messages are read from the start, from an offset and from a time', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const topic = await createTopic(bootstrapServers)
  const connection = kafkaConnection(t, bootstrapServers)
  const start = Date.now()
  for (const [i, value] of ['a', 'b', 'c'].entries()) {
    await connection.publish(message(topic, value, { timestamp: start + i }))
  }
  const read = async (from: StartPosition) => {
    const values: string[] = []
    const onMessage = async ({ value }: ConsumedMessage) => {
      values.push(String(value))
    }
    await operator.consume({ topic, from, follow: false, signal: t.signal }, onMessage)
    return values.join('')
  }

  assert.equal(await read({ at: 'earliest' }), 'abc')
  assert.equal(await read({ at: 'offset', offset: '1' }), 'bc')
  assert.equal(await read({ at: 'time', time: start + 2 }), 'c')
})
