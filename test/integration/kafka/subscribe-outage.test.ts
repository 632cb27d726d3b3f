import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, test } from 'node:test'
import type { ISocketFactory } from 'kafkajs'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { consume, Gate, newGroup, type Subscribe, textOf } from '../../helpers/consuming.js'
import { createTopic, kafkaConnection, subscribeTo } from '../../helpers/kafka.js'
import { kafkaOperator } from '../../helpers/kafka-operator.js'
import { type OwnKafka, ownKafka } from '../../helpers/own-kafka.js'
import { waitFor } from '../../helpers/wait-for.js'

const SESSION_MS = 1000
const SETTINGS = {
  connectionTimeoutMs: 1000,
  consumer: {
    ...{ sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 200, autoCommitIntervalMs: 100 },
    ...{ requestTimeoutMs: 2000, retryBackoffMs: 200, rebalanceBackoffMs: 200 },
  },
}
/** A machine that is busy with others needs its time. */
const PATIENCE_MS = 90_000

let kafka: OwnKafka
before(async () => {
  kafka = await ownKafka({
    'group.min.session.timeout.ms': '500',
    'offsets.topic.num.partitions': '1',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'true',
  })
})
after(() => kafka.stop())

const subscribe: Subscribe = (source, handle) => subscribeTo(kafka.address, SETTINGS)(source, handle)

test('a member whose handlers are slow, or that is paused, stays one for many sessions', async (t) => {
  const topic = await createTopic(kafka.address)
  const group = newGroup()
  const gate = new Gate()
  t.after(() => gate.open())
  const { messages, subscription } = await consume(
    t,
    subscribe,
    { group, topics: [{ topic }], from: { at: 'earliest' }, concurrency: 1 },
    () => gate.opened,
  )
  const publisher = kafkaConnection(t, kafka.address)
  const members = async () => {
    const { members } = await kafkaOperator(t, kafka.address).describeGroup(group)
    return members.map(({ memberId }) => memberId)
  }
  await publisher.publish(message(topic, 'slow'))
  await waitFor('the handler', () => messages.length === 1)
  const before = await members()

  subscription.pause()
  const since = performance.now()
  await waitFor('sessions to pass', () => performance.now() - since > 3 * SESSION_MS)

  assert.equal(before.length, 1)
  assert.deepEqual(await members(), before)
  gate.open()
  await publisher.publish(message(topic, 'next'))
  subscription.resume()
  await waitFor('the next', () => messages.length === 2)
  assert.deepEqual(messages.map(textOf), ['slow', 'next'])
})

test('what the group or the topic does not allow is refused, naming it and the cure', async (t) => {
  const topic = await createTopic(kafka.address)
  const [group, open] = [newGroup(), newGroup()]
  const acl = {
    principal: 'User:ANONYMOUS',
    host: '*',
    permission: 'deny',
    operation: 'read',
    pattern: 'literal',
  }
  const operator = kafkaOperator(t, kafka.address)
  await operator.createAcl({ ...acl, resourceType: 'group', resourceName: group })
  const join = async (of: string) =>
    failure(
      await settled(
        subscribe({ group: of, topics: [{ topic }], from: { at: 'latest' } }, async () => undefined),
      ),
    )

  const ofGroup = await waitFor('the ACL to count', () =>
    join(group).then((error) => error.code === 'NOT_AUTHORIZED' && error),
  )
  await operator.createAcl({ ...acl, resourceType: 'topic', resourceName: topic })
  const ofTopic = await waitFor('the ACL to count', () =>
    join(open).then((error) => error.code === 'NOT_AUTHORIZED' && error),
  )

  assert.match(ofGroup.message, new RegExp(`consumer group ${group}.*READ the group`))
  assert.match(ofTopic.message, new RegExp(`topic ${topic}.*READ .*the topic`))
})

test('Kafka killed and started again: nothing is lost, the order of keys is kept, and the status tells', async (t) => {
  const topic = await createTopic(kafka.address, { partitions: 3 })
  const { messages, subscription } = await consume(t, subscribe, {
    topics: [{ topic }],
    order: 'key',
    from: { at: 'earliest' },
  })
  const keys = ['a', 'b', 'c', 'd']
  const publish = async (from: number, to: number) => {
    const publisher = kafkaConnection(t, kafka.address)
    for (let i = from; i < to; i++) {
      await Promise.all(
        keys.map((key) => publisher.publish(message(topic, `${i}`, { key: Buffer.from(key) }))),
      )
    }
  }
  await publish(0, 20)
  await waitFor('some messages', () => messages.length > 10)

  await kafka.kill()
  await waitFor('the complaint', () => subscription.status().error !== undefined, PATIENCE_MS)
  await kafka.restart()
  await publish(20, 40)

  const numbersOf = (key: string) =>
    messages.filter((each) => String(each.key) === key).map((each) => Number(textOf(each)))
  await waitFor('all messages', () => keys.every((key) => new Set(numbersOf(key)).size === 40), PATIENCE_MS)
  for (const key of keys) {
    let reached = -1
    for (const number of numbersOf(key)) {
      assert.ok(number <= reached + 1, `${key}: ${number} came after ${reached}`)
      reached = Math.max(reached, number)
    }
  }
  await waitFor('all to be well', () => subscription.status().error === undefined, PATIENCE_MS)
})

test('a subscription closes while its brokers are away, and leaves no socket behind', async () => {
  const topic = await createTopic(kafka.address)
  const sockets = new Set<net.Socket>()
  const counted: ISocketFactory = ({ host, port, onConnect }) => {
    const socket = net.connect({ host, port }, onConnect)
    sockets.add(socket)
    return socket
  }
  const subscription = await subscribeTo(
    kafka.address,
    SETTINGS,
    counted,
  )({ group: newGroup(), topics: [{ topic }], from: { at: 'latest' } }, async () => undefined)
  await kafka.kill()
  await waitFor('the complaint', () => subscription.status().error !== undefined)

  await subscription.close()

  assert.ok(sockets.size > 1)
  assert.ok([...sockets].every(({ destroyed }) => destroyed))
})
