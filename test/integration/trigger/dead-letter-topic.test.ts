import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BrokerConnection } from '../../../src/brokers/broker.js'
import { brokerDrivers, driverOf } from '../../../src/brokers/registry.js'
import type { InboundMessage } from '../../../src/brokers/subscription.js'
import { RelayError } from '../../../src/core/errors.js'
import { deadLetterMessage } from '../../../src/trigger/give-up.js'
import { GIVEN_UP } from '../../helpers/dead-letters.js'
import { inboundMessage } from '../../helpers/inbound-message.js'
import * as kafka from '../../helpers/kafka.js'
import * as rocketmq from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'

const { kafka: kafkaAt, rocketmq: rocketmqAt } = testServers()

/** As awkward as a message and its error can be. */
const FROM_KAFKA = inboundMessage({
  key: Buffer.from('customer ü'),
  value: Buffer.from([0, 0xff, 0x0a]),
  headers: {
    source: Buffer.from('shop'),
    bytes: Buffer.from([0xff]),
    many: [Buffer.from('1'), Buffer.from('2')],
  },
})
const FROM_ROCKETMQ = inboundMessage({
  id: '7F000001',
  key: null,
  headers: { source: 'shop' },
  tag: 'paid',
  keys: ['a', 'b'],
  messageGroup: 'customer 1',
})
const WRONG = {
  ...GIVEN_UP,
  error: new RelayError('EXPRESSION_INVALID', `variables:\n\tfalsch, ä\u0001 ${'x'.repeat(8000)}`),
}

async function send(connection: BrokerConnection, kind: string, topic: string, message: InboundMessage) {
  const { inputs } = driverOf(brokerDrivers(), kind)
  await connection.publish(deadLetterMessage(message, WRONG, { topic, worker: 'worker-1', inputs }))
}

describe('a dead-letter topic takes messages of either kind', () => {
  it('on Kafka', async (t) => {
    const topic = await kafka.createTopic(kafkaAt.bootstrapServers, { partitions: 1 })
    const connection = kafka.kafkaConnection(t, kafkaAt.bootstrapServers)
    await send(connection, 'kafka', topic, FROM_KAFKA)
    await send(connection, 'kafka', topic, FROM_ROCKETMQ)
    const [one, other] = await kafka.readTopic(kafkaAt.bootstrapServers, topic, 2)
    assert.deepEqual(
      [one?.key, one?.value, one?.timestamp],
      [FROM_KAFKA.key, FROM_KAFKA.value, String(FROM_KAFKA.timestamp)],
    )
    assert.deepEqual(one?.headers?.many, [Buffer.from('1'), Buffer.from('2')])
    assert.equal(String(one?.headers?.['__connect.errors.exception.class.name']), 'EXPRESSION_INVALID')
    assert.match(String(one?.headers?.['__connect.errors.exception.message']), /^variables: falsch, ä/)
    assert.equal(String(other?.key), 'a b')
    assert.equal(String(other?.headers?.['x-message-tag']), 'paid')
  })

  for (const protocol of ['remoting', 'grpc'] as const) {
    it(`on RocketMQ over ${protocol}`, async (t) => {
      const topic = await rocketmq.createTopic(rocketmqAt.nameServer, { queues: 1 })
      const address = protocol === 'grpc' ? rocketmqAt.proxyEndpoint : rocketmqAt.nameServer
      const connection = rocketmq.connect(t, address, { protocol })
      await send(connection, 'rocketmq', topic, FROM_KAFKA)
      await send(connection, 'rocketmq', topic, FROM_ROCKETMQ)
      const [one, other] = await rocketmq.readTopic(rocketmqAt.nameServer, topic, 2)
      assert.deepEqual(one?.body, FROM_KAFKA.value)
      assert.equal(one?.properties['x-message-key'], 'customer ü')
      assert.equal(one?.properties.bytes, '/w==')
      assert.equal(one?.properties['__connect.errors.exception.class.name'], 'EXPRESSION_INVALID')
      assert.match(one?.properties['__connect.errors.exception.message'] ?? '', /^variables: falsch, ä x+$/)
      assert.deepEqual(
        [other?.properties.TAGS, other?.properties.KEYS, other?.properties.source],
        ['paid', 'a b', 'shop'],
      )
    })
  }
})
