import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { createRelay, type Relay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

const JOB_TIMEOUT_MS = 60_000
/** Far below the job timeout: a job that waited it out took longer. */
const LATE_MS = JOB_TIMEOUT_MS / 2
const WORKER = { BPMN_RELAY_JOB_TIMEOUT_MS: String(JOB_TIMEOUT_MS), BPMN_RELAY_MAX_IN_FLIGHT: '32' }

test('SIGTERM in the middle of the work', async (t) => {
  const { relay, topic, processId } = await installation(t)
  const worker = await relay.startWorker(WORKER)
  const jobs = 300
  const ended = Promise.all(Array.from({ length: jobs }, (_, n) => relay.processes.run(processId, { n })))
  await waitFor('some completions', () => completions(relay) > 50)
  const exit = await worker.terminate()
  const completed = completions(relay)
  const published = await publishedCalls(relay)

  await t.test('ends the worker with exit code 0', () => assert.deepEqual(exit, { code: 0, signal: null }))
  await t.test('leaves jobs to others', () => assert.ok(completed < jobs, `${completed} were completed`))
  await t.test('settles every job that was published', () => assert.equal(completed, published))
  await t.test('lets another worker do the rest at once', async () => {
    await relay.startWorker(WORKER)
    const startedAt = performance.now()
    await ended
    const tookMs = performance.now() - startedAt
    assert.ok(tookMs < LATE_MS, `${Math.round(tookMs)} ms`)
  })
  await t.test('publishes nothing twice', async () => {
    assert.equal((await kafka.readTopic(testServers().kafka.bootstrapServers, topic, jobs)).length, jobs)
  })
})

test('Workers replaced one after the other under load make no job wait out its job timeout', async (t) => {
  const { relay, topic, processId } = await installation(t)
  const rounds = 4
  const atOnce = 20
  let workers = [await relay.startWorker(WORKER), await relay.startWorker(WORKER)]
  let replacing = true
  let longestMs = 0
  let jobs = 0
  const load = Array.from({ length: atOnce }, async () => {
    while (replacing) {
      const startedAt = performance.now()
      await relay.processes.run(processId, { n: jobs++ })
      longestMs = Math.max(longestMs, performance.now() - startedAt)
    }
  })
  for (let round = 0; round < rounds; round++) {
    const [oldest, ...others] = workers
    const next = await relay.startWorker(WORKER)
    const exit = await oldest?.terminate()
    assert.equal(exit?.code, 0)
    workers = [...others, next]
  }
  replacing = false
  await Promise.all(load)

  t.diagnostic(`${jobs} jobs, the slowest took ${Math.round(longestMs)} ms`)
  assert.ok(longestMs < LATE_MS, `${Math.round(longestMs)} ms`)
  assert.equal((await kafka.readTopic(testServers().kafka.bootstrapServers, topic, jobs)).length, jobs)
})

async function installation(t: Parameters<typeof createRelay>[0]) {
  const relay = await createRelay(t)
  const topic = await kafka.createTopic(testServers().kafka.bootstrapServers, { partitions: 3 })
  const adapter = await relay.adapter({ kind: 'kafka' })
  const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, message: '=n' } })
  return { relay, topic, processId }
}

function completions({ gateway }: Relay): number {
  return gateway.settled.filter(({ kind, status }) => kind === 'complete' && status === 0).length
}

async function publishedCalls({ database }: Relay): Promise<number> {
  const rows = await database.query(`SELECT FROM sys_audit_log WHERE status = 'published'`)
  return rows.length
}
