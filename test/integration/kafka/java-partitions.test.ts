import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { partitionOfKey } from '../../../src/brokers/kafka/partition.js'
import { message } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection } from '../../helpers/kafka.js'
import { runKafkaJava } from '../../helpers/kafka-java.js'
import { testServers } from '../../helpers/servers.js'

const bootstrapServers = testServers().kafka.bootstrapServers

/** Keys as people have them, and of every length with every kind of byte. */
function keys(): Buffer[] {
  const texts = Array.from({ length: 2000 }, (_, i) => [`order-${i}`, randomUUID(), `订单-${i}`]).flat()
  return [
    ...texts.map((text) => Buffer.from(text)),
    ...Array.from({ length: 4000 }, (_, i) => randomBytes(i % 300)),
    ...Array.from({ length: 100 }, (_, i) => Buffer.alloc(i, 0xff)),
  ]
}

for (const partitions of [1, 3, 7, 64, 1_000_003]) {
  test(`10,100 keys lead to the partition of Java's default partitioner, of ${partitions}`, async () => {
    const all = keys()

    const answer = await runKafkaJava('Partitions.java', [String(partitions)], lines(all.map(base64)))

    assert.deepEqual(
      all.map((key) => partitionOfKey(key, partitions)),
      answer.trimEnd().split('\n').map(Number),
    )
  })
}

test("messages of one key get into the partition where Java's producer puts them", async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 7 })
  const connection = kafkaConnection(t, bootstrapServers)
  const some = keys().filter((key, i) => i % 10 === 0 && key.length > 0)

  const receipts = await Promise.all(some.map((key) => connection.publish(message(topic, 'x', { key }))))
  const answer = await runKafkaJava(
    'Produce.java',
    [bootstrapServers, topic, 'none'],
    lines(some.map((key) => `${base64(key)} ${base64(key)}`)),
  )

  assert.deepEqual(
    receipts.map((receipt) => receipt.kind === 'kafka' && receipt.partition),
    answer.trimEnd().split('\n').map(Number),
  )
})

function base64(bytes: Buffer): string {
  return bytes.toString('base64')
}

function lines(of: string[]): string {
  return of.map((line) => `${line}\n`).join('')
}
