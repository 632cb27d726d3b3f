// What a careful first version does: one producer for all, and for each job one awaited send and one awaited INSERT.
import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { insertAudit } from './insert-audit.js'
import { orderText } from './message.js'

const { databaseUrl, bootstrapServers, topic, bytes, maxInFlight } = setupOf(
  Type.Object({
    databaseUrl: Type.String(),
    bootstrapServers: Type.String(),
    topic: Type.String(),
    bytes: Type.Number(),
    maxInFlight: Type.Number(),
  }),
)
const producer = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR }).producer({
  allowAutoTopicCreation: false,
})
await producer.connect()
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
let number = 0

serve(
  Type.Object({ jobs: Type.Number() }),
  ({ jobs }) =>
    measured(async () => {
      let left = jobs
      const slot = async () => {
        while (left > 0) {
          left -= 1
          number += 1
          const startedAt = performance.now()
          const requestId = randomUUID()
          const value = orderText(number, bytes)
          const headers = { 'x-request-id': requestId }
          const [receipt] = await producer.send({ topic, acks: -1, messages: [{ value, headers }] })
          await insertAudit(pool, {
            requestId,
            destination: topic,
            receipt: JSON.stringify(receipt),
            durationMs: performance.now() - startedAt,
            jobKey: String(number),
            request: value,
          })
        }
      }
      await Promise.all(Array.from({ length: maxInFlight }, slot))
    }),
  () => Promise.all([producer.disconnect(), pool.end()]),
)
