// What a careful first version does: one producer for all, and for each job one awaited send and one awaited INSERT.
import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { RelayLoad } from '../loads.js'
import { insertAudit } from './insert-audit.js'
import { orderText } from './message.js'
import { countProduceRequests } from './produce-requests.js'
import { sent, turnsOf } from './sent.js'
import { inSlots } from './slots.js'

const { databaseUrl, bootstrapServers } = setupOf(
  Type.Object({ databaseUrl: Type.String(), bootstrapServers: Type.String() }),
)
const requests = countProduceRequests()
const producer = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR }).producer({
  allowAutoTopicCreation: false,
})
await producer.connect()
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
let number = 0

serve(
  Type.Omit(RelayLoad, ['adapters']),
  ({ topics, bytes, keyed, inFlight, limit }) => {
    const topicOf = turnsOf(topics)
    const step = async () => {
      number += 1
      const startedAt = performance.now()
      const requestId = randomUUID()
      const topic = topicOf(number)
      const value = orderText(number, bytes)
      const key = keyed ? { key: `order-${number}` } : {}
      const headers = { 'x-request-id': requestId }
      const [receipt] = await producer.send({ topic, acks: -1, messages: [{ ...key, value, headers }] })
      await insertAudit(pool, {
        requestId,
        destination: topic,
        receipt: JSON.stringify(receipt),
        durationMs: performance.now() - startedAt,
        jobKey: String(number),
        request: value,
      })
    }
    return sent(1, requests, () => inSlots(inFlight, { steps: limit.messages, ms: limit.ms }, step))
  },
  () => Promise.all([producer.disconnect(), pool.end()]),
)
