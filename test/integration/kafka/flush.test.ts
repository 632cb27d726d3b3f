import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { swallowingSockets } from '../../helpers/kafka-sockets.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers
const INTERVAL_MS = 600

test('messages that come one after another within the flush interval go as one send', async (t) => {
  const { connection, topic, sends } = await connected(t, { flush: { intervalMs: INTERVAL_MS } })
  const start = performance.now()

  await Promise.all(
    [...Array(20).keys()].map(async (i) => {
      await delay(i * 10)
      await connection.publish(message(topic, `${i}`))
    }),
  )

  const tookMs = performance.now() - start
  assert.equal(sends(), 1)
  assert.ok(tookMs >= INTERVAL_MS && tookMs < 2 * INTERVAL_MS, `${tookMs} ms`)
})

for (const [what, flush] of [
  ['as many messages as the setting says', { messages: 10 }],
  ['as many bytes as the setting says', { bytes: 10_000 }],
  ['as many messages as a send may hold', { maxMessages: 10 }],
] as const) {
  test(`${what} end the flush interval early`, async (t) => {
    const { connection, topic } = await connected(t, { flush: { intervalMs: 30_000, ...flush } })
    const start = performance.now()

    await Promise.all([...Array(10).keys()].map(() => connection.publish(message(topic, 'x'.repeat(1000)))))

    assert.ok(performance.now() - start < 5000)
  })
}

test('no send holds more messages than the setting says', async (t) => {
  const { connection, topic, sends } = await connected(t, { flush: { maxMessages: 5 } })

  await Promise.all([...Array(50).keys()].map((i) => connection.publish(message(topic, `${i}`))))

  assert.ok(sends() >= 10, `${sends()} sends`)
})

test('without limits a message waits for nothing', async (t) => {
  const { connection, topic } = await connected(t, {})
  const start = performance.now()

  for (let i = 0; i < 10; i++) await connection.publish(message(topic, `${i}`))

  assert.ok(performance.now() - start < 2000)
})

test('closing sends at once what waits for the flush interval', async (t) => {
  const { connection, topic } = await connected(t, { flush: { intervalMs: 60_000 } })
  const publishing = settled(connection.publish(message(topic, 'last words')))
  // One turn of the event loop, so that it has begun to wait.
  await new Promise(setImmediate)
  const start = performance.now()

  await connection.close()

  assert.ok(performance.now() - start < 10_000)
  assert.equal((await publishing)?.status, 'fulfilled')
  assert.equal((await readTopic(bootstrapServers, topic, 1)).length, 1)
})

test('the time of a publish includes the flush interval', async (t) => {
  const plain = kafkaConnection(t, bootstrapServers)
  const waiting = kafkaConnection(t, bootstrapServers, { flush: { intervalMs: 5000 } })
  assert.equal(waiting.publishBudgetMs - plain.publishBudgetMs, 5000)
})

test('a message above the limit of the adapter is refused, naming its limit and that of the topic', async (t) => {
  const topic = await createTopic(bootstrapServers, { config: { 'max.message.bytes': '300000' } })
  const connection = kafkaConnection(t, bootstrapServers, { maxMessageBytes: 2000 })

  const [small, large] = await Promise.allSettled([
    connection.publish(message(topic, 'x'.repeat(1500))),
    connection.publish(message(topic, 'x'.repeat(2500))),
  ])

  assert.equal(small.status, 'fulfilled')
  const error = failure(large)
  assert.equal(error.code, 'MESSAGE_TOO_LARGE')
  assert.match(error.message, /maxMessageBytes is 2000, max\.message\.bytes is 300000/)
})

/** A connection with a topic of its own, and the number of its sends so far. */
async function connected(t: TestContext, settings: Record<string, unknown>) {
  const topic = await createTopic(bootstrapServers)
  let sends = 0
  const sockets = swallowingSockets((request) => {
    sends = request
    return false
  })
  return { connection: kafkaConnection(t, bootstrapServers, settings, sockets), topic, sends: () => sends }
}
