// What users write today: a new kafkajs producer per job, one audit INSERT per job, the client's default settings but
// for a quick poll.
import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { Type } from 'typebox'
import { ZBClient } from 'zeebe-node'
import { pause } from '../../src/core/time-limit.js'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { Completions } from './completions.js'
import { insertAudit } from './insert-audit.js'

const { address, taskType, databaseUrl, bootstrapServers } = setupOf(
  Type.Object({
    address: Type.String(),
    taskType: Type.String(),
    databaseUrl: Type.String(),
    bootstrapServers: Type.String(),
  }),
)
const client = new ZBClient(address, { loglevel: 'NONE' })
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
const LONG_POLL_MS = 1000
const completions = new Completions()

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

serve(
  Type.Object({ jobs: Type.Number() }),
  async ({ jobs }) => {
    const all = completions.next(jobs)
    let close: () => Promise<unknown> = async () => undefined
    const run = await measured(async () => {
      const worker = client.createWorker({
        taskType,
        loglevel: 'NONE',
        pollInterval: 10,
        longPoll: LONG_POLL_MS,
        timeout: 60_000,
        taskHandler: async (job) => {
          const { topic, key, message } = job.variables
          await publish(String(topic), String(key), JSON.stringify(message), job.key)
          const receipt = await job.complete()
          completions.add(job.processInstanceKey)
          return receipt
        },
      })
      close = () => worker.close()
      await all
    })
    await close()
    // A closed worker's last poll goes on at the gateway and would take jobs of the next run with it.
    await pause(1.5 * LONG_POLL_MS)
    return { ...run, completed: await all }
  },
  () => Promise.all([client.close(), pool.end()]),
)
