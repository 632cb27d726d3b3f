import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

const JOBS = 1000
const KILLS = 3
const MAX_IN_FLIGHT = 64
// What a send may take, 3 s, has to fit into the job timeout.
const SETTINGS = { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 }
const WORKER = { BPMN_RELAY_JOB_TIMEOUT_MS: '5000', BPMN_RELAY_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT) }

test('A publish whose completion was lost is not sent again', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers)
  const adapter = await relay.adapter({ kind: 'kafka', settings: SETTINGS })
  const processId = await relay.deploy('kafka', {
    inputs: { adapterId: adapter.id, topic, message: 'once' },
    headers: { resultVariable: 'receipt' },
  })
  relay.gateway.loseCompletions()
  const first = await relay.startWorker(WORKER)
  const ended = relay.processes.run(processId)
  const lost = await waitFor('the completion', () => relay.gateway.settled[0])
  await first.kill()
  relay.gateway.passCompletions()
  await relay.startWorker(WORKER)
  const variables = await ended

  const records = await kafka.readTopic(bootstrapServers, topic, 1)
  assert.deepEqual(
    records.map(({ value, offset }) => [String(value), offset]),
    [['once', '0']],
  )
  assert.deepEqual(variables, lost.variables)
  const rows = await relay.audit(String(records[0]?.headers?.['x-process-instance-key']))
  assert.deepEqual(
    rows.map(({ status, attempt }) => [status, attempt]),
    [['published', 1]],
  )
})

test(`${JOBS} jobs while the worker is killed ${KILLS} times`, async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers, { partitions: 3 })
  const adapter = await relay.adapter({ kind: 'kafka', settings: SETTINGS })
  const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, message: '=n' } })

  const recordedJobs = async () => {
    const [row] = await relay.database.query<{ jobs: number }>(
      `SELECT count(DISTINCT job_key)::int AS jobs FROM sys_audit_log WHERE status = 'published'`,
    )
    return row?.jobs ?? 0
  }
  let worker = await relay.startWorker(WORKER)
  // Connected by now: to start all these instances keeps this process too busy to connect within the time limit.
  await recordedJobs()
  const ended = Promise.all(Array.from({ length: JOBS }, (_, n) => relay.processes.run(processId, { n })))
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = (kill * JOBS) / (KILLS + 2)
    await waitFor(`${enough} recorded jobs`, async () => (await recordedJobs()) >= enough)
    await worker.kill()
    worker = await relay.startWorker(WORKER)
  }

  await t.test('every job completes', async () => {
    await ended
  })
  const values = (await kafka.readTopic(bootstrapServers, topic, JOBS)).map(({ value }) => Number(value))
  await t.test('every job has its message', () => {
    assert.deepEqual(
      [...new Set(values)].sort((a, b) => a - b),
      Array.from({ length: JOBS }, (_, n) => n),
    )
  })
  await t.test('every job has its audit row', async () => {
    assert.equal(await recordedJobs(), JOBS)
  })
  await t.test('only messages that were in flight at a kill are there twice', (t) => {
    const more = values.length - JOBS
    t.diagnostic(`${more} messages more than jobs`)
    assert.ok(more <= KILLS * MAX_IN_FLIGHT, `${more}`)
  })
})
