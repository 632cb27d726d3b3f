import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { BrokerConnection } from '../../../src/brokers/broker.js'
import { message } from '../../contract/broker-contract.js'
import { type Acknowledged, assertOrdered, assertPresent } from '../../helpers/acknowledged.js'
import { createTopic, kafkaConnection, type ReadMessage, readTopic } from '../../helpers/kafka.js'
import { swallowingSockets } from '../../helpers/kafka-sockets.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers
const LIMITS = { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 }
const KEYS = 32
const MESSAGES_PER_KEY = 25

test('an answer that is lost once costs neither a message, nor the order within a key, nor a duplicate', async (t) => {
  const { acknowledged, log } = await publishSeries(t, (request) => request === 12)

  assert.equal(acknowledged.length, KEYS * MESSAGES_PER_KEY)
  assertPresent(acknowledged, log)
  assertOrdered(acknowledged, log)
  assert.equal(log.length, KEYS * MESSAGES_PER_KEY)
})

test('messages given up, though written, cost those published after them neither presence nor order', async (t) => {
  const { acknowledged, log } = await publishSeries(t, (request) => request >= 12 && request <= 15, 1)

  assert.ok(acknowledged.length < KEYS * MESSAGES_PER_KEY)
  assertPresent(acknowledged, log)
  assertOrdered(acknowledged, log)
})

test('answers lost again and again cost neither a message nor the order within a key', async (t) => {
  const { acknowledged, log } = await publishSeries(t, (request) => request % 12 === 0)

  assertPresent(acknowledged, log)
  assertOrdered(acknowledged, log)
})

/** Publishes the series 0, 1, 2, … of every key, all keys at once, each message after the one before was settled. */
async function publishSeries(
  t: TestContext,
  isSwallowed: (produceRequest: number) => boolean,
  partitions = 3,
): Promise<{ acknowledged: Acknowledged[]; log: ReadMessage[] }> {
  const topic = await createTopic(bootstrapServers, { partitions })
  const connection = kafkaConnection(t, bootstrapServers, LIMITS, swallowingSockets(isSwallowed))
  const acknowledged: Acknowledged[] = []
  await Promise.all(
    Array.from({ length: KEYS }, (_, key) => publishKey(connection, topic, `key-${key}`, acknowledged)),
  )
  await connection.close()
  return { acknowledged, log: await readTopic(bootstrapServers, topic, acknowledged.length) }
}

async function publishKey(
  connection: BrokerConnection,
  topic: string,
  key: string,
  acknowledged: Acknowledged[],
): Promise<void> {
  for (let number = 0; number < MESSAGES_PER_KEY; number++) {
    const outbound = message(topic, `${number}`, { key: Buffer.from(key) })
    const receipt = await connection.publish(outbound).catch(() => undefined)
    if (receipt) acknowledged.push({ message: outbound, receipt })
  }
}
