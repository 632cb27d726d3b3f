import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import type { BrokerConnection } from '../../../src/brokers/broker.js'
import { openSocket } from '../../../src/brokers/kafka/client.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection } from '../../helpers/kafka.js'
import { testServers } from '../../helpers/servers.js'
import { deadAddress, hangingServer, openValve } from '../../helpers/unwell-servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers
const LIMITS = { connectionTimeoutMs: 300, requestTimeoutMs: 400 }

test('500 messages waiting for a broker that never answers share few connections and end within the budget', async (t) => {
  const { address, connections } = await hangingServer(t)
  const connection = kafkaConnection(t, address, LIMITS)

  const { errors, tookMs } = await publishAndFail(connection, 500)

  assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(['BROKER_TIMEOUT']))
  assert.ok(tookMs <= connection.publishBudgetMs, `${tookMs} ms`)
  assert.ok(connections() <= 3, `${connections()} connections`)
})

test('500 messages waiting for a dead broker share few attempts to connect', async (t) => {
  const address = await deadAddress()
  let attempts = 0
  const connection = kafkaConnection(t, address, LIMITS, (args) => {
    attempts++
    return openSocket(args)
  })

  const { errors } = await publishAndFail(connection, 500)

  assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(['BROKER_UNREACHABLE']))
  assert.ok(attempts <= 3, `${attempts} attempts`)
})

test('a host name that does not exist is named', async (t) => {
  const connection = kafkaConnection(t, 'no-such-host.invalid:9092', LIMITS)

  const { errors } = await publishAndFail(connection, 1)

  assert.equal(errors[0]?.code, 'BROKER_UNREACHABLE')
  assert.match(String(errors[0]?.message), /no-such-host\.invalid:9092/)
})

test('a broker that stops answering in the middle fails what is in flight within the budget, then recovers', async (t) => {
  const topic = await createTopic(bootstrapServers)
  const valve = await openValve(t, bootstrapServers)
  const [host, port] = valve.address.split(':')
  const connection = kafkaConnection(t, bootstrapServers, LIMITS, ({ onConnect }) =>
    net.connect(Number(port), host, onConnect),
  )
  await connection.publish(message(topic, 'before'))

  valve.shut()
  const { errors, tookMs } = await publishAndFail(connection, 100, topic)
  assert.deepEqual(new Set(errors.map(({ outcome }) => outcome)), new Set(['failed']))
  assert.ok(tookMs <= connection.publishBudgetMs, `${tookMs} ms`)

  valve.open()
  await connection.publish(message(topic, 'after'))
})

test('close ends within the budget while the broker does not answer', async (t) => {
  const { address } = await hangingServer(t)
  const connection = kafkaConnection(t, address, LIMITS)
  const publishing = settled(connection.publish(message('some-topic', 'x')))

  const start = performance.now()
  await connection.close()

  assert.ok(performance.now() - start <= connection.publishBudgetMs)
  assert.equal(failure(await publishing).outcome, 'failed')
})

async function publishAndFail(connection: BrokerConnection, count: number, topic = 'some-topic') {
  const start = performance.now()
  const outcomes = await Promise.allSettled(
    Array.from({ length: count }, (_, i) => connection.publish(message(topic, `${i}`))),
  )
  return { errors: outcomes.map(failure), tookMs: performance.now() - start }
}
