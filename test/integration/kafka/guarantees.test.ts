import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeliverySemantic, Receipt } from '../../../src/brokers/broker.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { swallowingSockets } from '../../helpers/kafka-sockets.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers

const cases: [of: DeliverySemantic, asked: DeliverySemantic | undefined, hasOffset: boolean][] = [
  ['at-least-once', undefined, true],
  ['at-least-once', 'none', false],
  ['none', undefined, false],
  ['none', 'at-least-once', true],
]
for (const [deliverySemantic, asked, hasOffset] of cases) {
  const what = `an adapter with ${deliverySemantic} and a message with ${asked ?? 'nothing else'}`
  test(`${what}: the receipt names the partition and ${hasOffset ? 'the' : 'no'} offset`, async (t) => {
    const topic = await createTopic(bootstrapServers)
    const connection = kafkaConnection(t, bootstrapServers, { deliverySemantic })

    const receipt = await connection.publish(message(topic, 'x', { deliverySemantic: asked }))

    assert.deepEqual(place(receipt), [0, hasOffset ? '0' : null])
    assert.equal((await readTopic(bootstrapServers, topic, 1)).length, 1)
  })
}

test('messages of both kinds through one adapter all arrive, each kind in its order', async (t) => {
  const topic = await createTopic(bootstrapServers)
  const connection = kafkaConnection(t, bootstrapServers)
  const semantics = ['at-least-once', 'none'] as const

  await Promise.all(
    [...Array(400).keys()].map((i) => {
      const deliverySemantic = semantics[i % 2]
      return connection.publish(message(topic, `${i}`, { deliverySemantic }))
    }),
  )

  const log = (await readTopic(bootstrapServers, topic, 400)).map(({ value }) => Number(value))
  for (const rest of [0, 1]) {
    const ofKind = log.filter((i) => i % 2 === rest)
    assert.deepEqual(
      ofKind,
      [...ofKind].sort((a, b) => a - b),
    )
    assert.equal(ofKind.length, 200)
  }
})

for (const [retries, sends] of [
  [0, 1],
  [2, 3],
] as const) {
  test(`a message whose answers are lost is sent at most ${sends} times with retries ${retries}`, async (t) => {
    const topic = await createTopic(bootstrapServers)
    let requests = 0
    const sockets = swallowingSockets((request) => {
      requests = request
      return true
    })
    const settings = {
      acks: 'leader',
      retries,
      retryBackoffMs: 10,
      requestTimeoutMs: 1000,
      connectionTimeoutMs: 5000,
    }
    const connection = kafkaConnection(t, bootstrapServers, settings, sockets)

    const error = failure(await settled(connection.publish(message(topic, 'x'))))

    assert.equal(error.outcome, 'failed')
    assert.ok(requests <= sends, `${requests} sends`)
    if (retries === 0) assert.equal(requests, 1)
  })
}

function place(receipt: Receipt): unknown[] {
  assert.equal(receipt.kind, 'kafka')
  return [receipt.partition, receipt.offset]
}
