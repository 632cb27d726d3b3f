import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { createRocketmqDriver } from '../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../src/core/log.js'
import { startRocketmq4 } from '../../src/stack/rocketmq.js'
import { connect, createTopic, readTopic } from '../helpers/rocketmq.js'
import { mqadmin4 } from '../helpers/rocketmq-java.js'
import { describeBatches, describeRemotingBatches } from '../integration/rocketmq/batches-suite.js'
import { describeOperator, operate } from '../integration/rocketmq/operator-suite.js'
import { describeRemoting } from '../integration/rocketmq/remoting-suite.js'
import { describeBrokerContract, failure, message, settled } from './broker-contract.js'
import { describeSubscribeContract } from './subscribe-contract.js'

const folder = await mkdtemp(path.join(os.tmpdir(), 'rocketmq-4-'))
const { nameServer, stop } = await startRocketmq4({ folder, onProgress: () => undefined })
after(async () => {
  await publisher.close()
  await stop()
  await rm(folder, { recursive: true })
})
const driver = createRocketmqDriver()
const context = { adapter: 'contract', log: silentLog }
const publisher = driver.connect(driver.parse(nameServer, {}), context)

describeBrokerContract({
  name: 'RocketMQ 4.9 (remoting)',
  address: nameServer,
  connect: (at = nameServer) =>
    driver.connect(driver.parse(at, { connectTimeoutMs: 1000, sendTimeoutMs: 1000 }), context),
  newTopic: () => createTopic(nameServer),
  read: async (topic, count) => (await readTopic(nameServer, topic, count)).map(({ body }) => String(body)),
})

describeSubscribeContract({
  name: 'RocketMQ 4.9 (remoting)',
  subscribe: (source, handle, address = nameServer) =>
    driver.subscribe(driver.parse(address, { connectTimeoutMs: 2000 }), source, handle, context),
  newTopic: () => createTopic(nameServer),
  publish: async (topic, values, messageGroup) => {
    for (const value of values) await publisher.publish(message(topic, value, { messageGroup }))
  },
  hasPositions: true,
  findsNearestTime: true,
})

describeRemoting('4.9', () => nameServer)

describeBatches({
  version: '4.9',
  protocol: 'remoting',
  nameServer: () => nameServer,
  address: () => nameServer,
})
describeRemotingBatches('4.9', () => nameServer)

describeOperator('4.9', () => nameServer, mqadmin4, null)

test('RocketMQ 4.9 makes no typed topic, which it would make without a type', async (t) => {
  const operator = operate(t, nameServer)
  await assert.rejects(
    async () => await operator.createTopic?.({ topic: 'typed', type: 'fifo', configs: {} }),
    /broker-a at \S+ runs RocketMQ 4\.9\.\d+, and only 5\.0 and later have topic types: leave the type out/,
  )
  assert.ok(!(await operator.listTopics?.())?.some(({ topic }) => topic === 'typed'))
})

test('RocketMQ 4.9 gets no message for an exact delivery time, which it would deliver at once', async (t) => {
  const topic = await createTopic(nameServer, { queues: 1 })
  const connection = connect(t, nameServer)
  const deliverAt = Date.now() + 60_000

  const error = failure(await settled(connection.publish(message(topic, 'later', { deliverAt }))))

  assert.equal(error.code, 'NOT_SUPPORTED')
  assert.match(
    error.message,
    /deliverAt .* RocketMQ 4\.9\.\d+, .*: use delayLevel, or a broker of version 5\.0/,
  )
  await connection.publish(message(topic, 'now'))
  assert.deepEqual(
    (await readTopic(nameServer, topic, 1)).map(({ body }) => String(body)),
    ['now'],
  )
})
