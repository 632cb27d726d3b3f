import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { ownPostgres } from '../helpers/own-postgres.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

const WAVE = 100
const AWAY_MS = 3000
/** For sends that had begun before. */
const IN_FLIGHT_MS = 500

test('Postgres crashes while jobs run, and comes back', async (t) => {
  const postgres = await ownPostgres()
  const relay = await createRelay(t, { databaseUrl: postgres.url })
  t.after(() => postgres.stop())
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers)
  const adapter = await relay.adapter({
    kind: 'kafka',
    settings: { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 },
  })
  const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, message: '=n' } })
  const worker = await relay.startWorker({ BPMN_RELAY_JOB_TIMEOUT_MS: '8000' })
  const startWave = (from: number) =>
    Promise.all(Array.from({ length: WAVE }, (_, n) => relay.processes.run(processId, { n: from + n })))
  const recordedJobs = async () => {
    const [row] = await relay.database.query<{ jobs: number }>(
      `SELECT count(DISTINCT job_key)::int AS jobs FROM sys_audit_log WHERE status = 'published'`,
    )
    return row?.jobs ?? 0
  }

  const before = startWave(0)
  await waitFor('the first calls', async () => (await recordedJobs()) > 0)
  await postgres.kill()
  await waitFor('the worker to notice', () => worker.log().includes('Postgres is away'))
  const noticedAt = Date.now()
  const during = startWave(WAVE)
  await waitFor('an outage long enough to see what the worker does', () => Date.now() > noticedAt + AWAY_MS)
  const backAt = Date.now()
  await postgres.restart()

  await t.test('every job completes', async () => {
    await Promise.all([before, during])
  })
  const records = await kafka.readTopic(bootstrapServers, topic, 2 * WAVE)
  await t.test('every job has its message', () => {
    const values = new Set(records.map(({ value }) => Number(value)))
    assert.deepEqual(
      [...values].sort((a, b) => a - b),
      Array.from({ length: 2 * WAVE }, (_, n) => n),
    )
  })
  await t.test('every job has its audit row', async () => {
    assert.equal(await recordedJobs(), 2 * WAVE)
  })
  await t.test('nothing was published meanwhile', () => {
    const meanwhile = records
      .map(({ timestamp }) => Number(timestamp))
      .filter((at) => at > noticedAt + IN_FLIGHT_MS && at < backAt)
    assert.deepEqual(meanwhile, [])
  })
})
