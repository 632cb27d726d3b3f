// What users write today: a new kafkajs producer per job, one audit INSERT per job, the client's default settings but
// for a quick poll.
import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { insertAudit } from './insert-audit.js'
import { zeebeRuns } from './zeebe-runs.js'

const { address, taskType, databaseUrl, bootstrapServers } = setupOf(
  Type.Object({
    address: Type.String(),
    taskType: Type.String(),
    databaseUrl: Type.String(),
    bootstrapServers: Type.String(),
  }),
)
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })

async function publish(topic: string, key: string, value: string, jobKey: string): Promise<void> {
  const startedAt = performance.now()
  const requestId = randomUUID()
  const producer = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR }).producer()
  await producer.connect()
  const headers = { 'x-request-id': requestId }
  const [receipt] = await producer.send({ topic, acks: -1, messages: [{ key, value, headers }] })
  await producer.disconnect()
  await insertAudit(pool, {
    requestId,
    destination: topic,
    receipt: JSON.stringify(receipt),
    durationMs: performance.now() - startedAt,
    jobKey,
    request: value,
  })
}

const runs = zeebeRuns(address, taskType, {}, async ({ key: jobKey, variables }) => {
  const { topic, key, message } = variables
  await publish(String(topic), String(key), JSON.stringify(message), jobKey)
})

serve(
  Type.Object({ jobs: Type.Number() }),
  ({ jobs }) => runs.run(jobs),
  () => Promise.all([runs.close(), pool.end()]),
)
