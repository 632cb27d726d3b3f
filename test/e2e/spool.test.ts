import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { ownPostgres } from '../helpers/own-postgres.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

const WAVE = 100
const JOBS = 3 * WAVE
const MAX_IN_FLIGHT = 32

test('With a spool, jobs go on while Postgres is away and the worker is killed', async (t) => {
  const postgres = await ownPostgres()
  const spoolDir = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-spool-'))
  const relay = await createRelay(t, { databaseUrl: postgres.url })
  t.after(async () => {
    await postgres.stop()
    await rm(spoolDir, { recursive: true })
  })
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers)
  const adapter = await relay.adapter({
    kind: 'kafka',
    settings: { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 },
  })
  const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, message: '=n' } })
  const start = () =>
    relay.startWorker({
      BPMN_RELAY_WORKER_NAME: 'with-spool',
      BPMN_RELAY_SPOOL_DIR: spoolDir,
      BPMN_RELAY_JOB_TIMEOUT_MS: '5000',
      BPMN_RELAY_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
    })
  let completed = 0
  const startWave = (from: number) =>
    Promise.all(
      Array.from({ length: WAVE }, async (_, n) => {
        await relay.processes.run(processId, { n: from + n })
        completed += 1
      }),
    )

  const first = await start()
  const before = startWave(0)
  await waitFor('the first completions', () => completed >= WAVE / 2)
  await postgres.kill()
  await before
  const awayAt = Date.now()
  await t.test('jobs complete while Postgres is away', async () => {
    await startWave(WAVE)
  })
  const awayUntil = Date.now()
  const during = startWave(2 * WAVE)
  await waitFor('jobs completed and in hand at the kill', () => completed >= 2 * WAVE + WAVE / 4)
  await first.kill()
  await t.test('a worker that starts meanwhile says that it needs Postgres', async () => {
    await assert.rejects(start(), /Postgres at .* cannot be used/)
  })
  await postgres.restart()
  const second = await start()
  await t.test('every job completes', async () => {
    await during
  })
  await waitFor('the spool to be empty', () => second.log().includes('the spool is empty again'))

  await t.test('every job has one audit row and one call in the SLA counters', async () => {
    const [counts] = await relay.database.query(
      `SELECT count(*)::int AS rows, count(DISTINCT job_key)::int AS jobs,
         (SELECT sum(calls)::int FROM sla_counter) AS calls FROM sys_audit_log WHERE status = 'published'`,
    )
    assert.deepEqual(counts, { rows: JOBS, jobs: JOBS, calls: JOBS })
  })
  await t.test('the rows stand in the order of their calls', async () => {
    const rows = await relay.database.query<{ at: Date }>('SELECT at FROM sys_audit_log ORDER BY id')
    const times = rows.map(({ at }) => at.getTime())
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    )
  })
  await t.test('rows written later have the time of their call', async () => {
    const [row] = await relay.database.query<{ rows: number }>(
      'SELECT count(*)::int AS rows FROM sys_audit_log WHERE at BETWEEN $1 AND $2',
      [new Date(awayAt), new Date(awayUntil)],
    )
    assert.equal(row?.rows, WAVE)
  })
  await t.test('only messages that were in flight at the kill are there twice', async (t) => {
    const values = (await kafka.readTopic(bootstrapServers, topic, JOBS)).map(({ value }) => Number(value))
    assert.equal(new Set(values).size, JOBS)
    t.diagnostic(`${values.length - JOBS} messages more than jobs`)
    assert.ok(values.length - JOBS <= MAX_IN_FLIGHT)
  })
})
