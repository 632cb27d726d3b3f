import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { type LocalKafka, startKafka } from '../../../src/stack/kafka.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'

/** A Kafka of these tests' own, which makes no topics on demand and may be killed. */
let kafka: LocalKafka
let folder: string

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'own-kafka-'))
  kafka = await start()
})

after(async () => {
  await kafka.stop()
  await rm(folder, { recursive: true, force: true })
})

test('a topic that is not made on demand is unknown, disturbs no other, and is found once it was created', async (t) => {
  const topic = await createTopic(kafka.bootstrapServers)
  const unknown = `test-${randomUUID()}`
  const connection = kafkaConnection(t, kafka.bootstrapServers, { requestTimeoutMs: 1000 })

  const [missing, good] = await Promise.allSettled([
    connection.publish(message(unknown, 'x')),
    connection.publish(message(topic, 'x')),
  ])

  assert.equal(good.status, 'fulfilled')
  const error = failure(missing)
  assert.equal(error.code, 'TOPIC_UNKNOWN')
  assert.ok(error.message.includes(unknown))
  await createTopic(kafka.bootstrapServers, { name: unknown })
  await connection.publish(message(unknown, 'x'))
})

test('everything acknowledged is there after Kafka was killed and came back', async (t) => {
  const topic = await createTopic(kafka.bootstrapServers, { partitions: 3 })
  const connection = kafkaConnection(t, kafka.bootstrapServers, { requestTimeoutMs: 2000 })
  const acknowledged: string[] = []
  let isBack = false
  const publishSeries = async (key: string) => {
    let afterwards = 0
    for (let number = 0; afterwards < 5; number++) {
      const value = `${key}-${number}`
      const outcome = await settled(connection.publish(message(topic, value, { key: Buffer.from(key) })))
      if (outcome?.status !== 'fulfilled') continue
      acknowledged.push(value)
      if (isBack) afterwards++
    }
  }

  const publishing = Promise.all(Array.from({ length: 16 }, (_, i) => publishSeries(`key-${i}`)))
  await until(() => acknowledged.length > 500)
  await kafka.kill()
  kafka = await start()
  isBack = true
  await publishing

  const log = new Set((await readTopic(kafka.bootstrapServers, topic, 1)).map(({ value }) => String(value)))
  assert.deepEqual(
    acknowledged.filter((value) => !log.has(value)),
    [],
  )
})

function start(): Promise<LocalKafka> {
  const properties = { 'auto.create.topics.enable': false }
  return startKafka({ folder, onProgress: () => undefined }, properties)
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}
