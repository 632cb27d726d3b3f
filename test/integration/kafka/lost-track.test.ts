import assert from 'node:assert/strict'
import { test } from 'node:test'
import { message } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { type BatchNumber, renumber, watchedSockets } from '../../helpers/kafka-sockets.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers

const cases: [what: string, change: (number: BatchNumber) => BatchNumber][] = [
  ['misses a number (out of order)', ({ epoch, sequence }) => ({ epoch, sequence: sequence + 1000 })],
  [
    'has seen a newer epoch (fenced)',
    ({ sequence }) => ({ epoch: 5, sequence: sequence === 5 ? 0 : sequence }),
  ],
]
for (const [what, change] of cases) {
  test(`a broker that ${what} gets every message all the same, once and in order`, async (t) => {
    const topic = await createTopic(bootstrapServers)
    const connection = kafkaConnection(
      t,
      bootstrapServers,
      {},
      watchedSockets((request, number) => number === 6 && renumber(request, change)),
    )
    const values = Array.from({ length: 20 }, (_, i) => `${i}`)

    for (const value of values) await connection.publish(message(topic, value))

    const log = await readTopic(bootstrapServers, topic, values.length)
    assert.deepEqual(
      log.map((entry) => String(entry.value)),
      values,
    )
  })
}
