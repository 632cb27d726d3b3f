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

const WAVE = 150
const WAVES = 4
const JOBS = WAVES * WAVE
const MAX_IN_FLIGHT = 32
const AWAY_MS = 20_000
/** Three of the worker and one of Postgres. */
const KILLS = 4

test('The worker is killed three times and Postgres is away for 20 s', async (t) => {
  const postgres = await ownPostgres()
  const fileLogFolder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-crashes-'))
  const relay = await createRelay(t, { databaseUrl: postgres.url })
  t.after(async () => {
    await postgres.stop()
    await rm(fileLogFolder, { recursive: true })
  })
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers, { partitions: 3 })
  const adapter = await relay.adapter({
    kind: 'kafka',
    settings: { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 },
    auditRequests: true,
    logResults: true,
  })
  const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, message: '=n' } })
  const start = () =>
    relay.startWorker({
      BPMN_RELAY_JOB_TIMEOUT_MS: '6000',
      BPMN_RELAY_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
      BPMN_RELAY_FILE_LOG_FOLDER: fileLogFolder,
    })
  const waves: Promise<unknown>[] = []
  const startWave = () => {
    const from = waves.length * WAVE
    waves.push(
      Promise.all(Array.from({ length: WAVE }, (_, n) => relay.processes.run(processId, { n: from + n }))),
    )
  }
  const recordedJobs = async () => {
    const [row] = await relay.database.query<{ jobs: number }>(
      `SELECT count(DISTINCT job_key)::int AS jobs FROM sys_audit_log WHERE status = 'published'`,
    )
    return row?.jobs ?? 0
  }
  /** Until the newest wave is under way. */
  const underWay = (what: string) => {
    const enough = (waves.length - 1) * WAVE + WAVE / 3
    return waitFor(`recorded jobs before ${what}`, async () => (await recordedJobs()) >= enough)
  }

  let worker = await start()
  for (const kill of ['the first kill', 'the second kill']) {
    startWave()
    await underWay(kill)
    await worker.kill()
    worker = await start()
  }
  startWave()
  await underWay('the outage')
  await postgres.kill()
  const backAt = Date.now() + AWAY_MS
  await waitFor('the worker to notice', () => worker.log().includes('Postgres is away'))
  startWave()
  await waitFor('the end of the outage', () => Date.now() >= backAt)
  await postgres.restart()
  await underWay('the third kill')
  await worker.kill()
  await start()

  await t.test('every job completes', async () => {
    await Promise.all(waves)
  })
  await t.test('every completed job has its audit row', async () => {
    assert.equal(await recordedJobs(), JOBS)
  })
  const [counts = { rows: 0, calls: 0, published: 0 }] = await relay.database.query<{
    rows: number
    calls: number
    published: number
  }>(
    `SELECT count(*)::int AS rows, (SELECT sum(calls)::int FROM sla_counter) AS calls,
       (count(*) FILTER (WHERE status = 'published'))::int AS published FROM sys_audit_log`,
  )
  await t.test('there are as many calls in the SLA counters as audit rows', () => {
    assert.equal(counts.calls, counts.rows)
  })
  await t.test('there are no more messages than rows but those in flight at a kill', async (t) => {
    const values = (await kafka.readTopic(bootstrapServers, topic, JOBS)).map(({ value }) => Number(value))
    assert.equal(new Set(values).size, JOBS)
    const more = values.length - counts.published
    t.diagnostic(`${values.length} messages, ${counts.published} rows: ${more} more`)
    assert.ok(more >= 0 && more <= KILLS * MAX_IN_FLIGHT, `${more}`)
  })
})
