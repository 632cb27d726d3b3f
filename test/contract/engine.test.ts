import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it, type TestContext } from 'node:test'
import { ZBClient } from 'zeebe-node'
import { readConfig } from '../../src/core/config.js'
import { silentLog } from '../../src/core/log.js'
import type { Engine, Job, WorkOptions } from '../../src/engine/engine.js'
import { createZeebeEngine } from '../../src/engine/zeebe.js'
import { processesOn } from '../helpers/processes.js'
import { testServers } from '../helpers/servers.js'
import { cuttingServer, deadAddress } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'

const address = testServers().zeebe.address

it('variables reach the job with every digit the engine has', async (t) => {
  const { engine, processes, processId, jobs } = await atWork(t)
  const ended = processes.runExactly(
    processId,
    '{"max":9223372036854775807,"odd":9007199254740993,"text":"12345678901234567890"}',
  )
  const job = await waitFor('the job', () => jobs[0])
  assert.match(job.variables, /"max":9223372036854775807/)
  assert.match(job.variables, /"odd":9007199254740993/)
  assert.match(job.variables, /"text":"12345678901234567890"/)
  await engine.settle(job, { kind: 'complete', variables: {} })
  assert.match(await ended, /"max":9223372036854775807/)
})

it('a job given back with its retries unchanged comes again with all of them', async (t) => {
  const { engine, processes, processId, jobs } = await atWork(t)
  await processes.start(processId)
  const job = await waitFor('the job', () => jobs[0])
  const answer = await engine.settle(job, {
    kind: 'fail',
    retries: job.retries,
    backOffMs: 0,
    message: 'held',
  })
  assert.equal(answer, 'accepted')
  assert.equal((await waitFor('the job again', () => jobs[1])).retries, 3)
})

it('a failed job keeps the retries that were sent and has the error as a variable of its own', async (t) => {
  const { engine, processes, processId, jobs } = await atWork(t)
  await processes.start(processId)
  const job = await waitFor('the job', () => jobs[0])
  const variables = { error: { code: 'BROKER_TIMEOUT' } }
  await engine.settle(job, { kind: 'fail', retries: 1, backOffMs: 0, message: 'no answer', variables })
  const again = await waitFor('the job again', () => jobs[1])
  assert.equal(again.retries, 1)
  assert.deepEqual(JSON.parse(again.variables).error, variables.error)
})

it('every job that backs off comes again, however often it does', async (t) => {
  const { engine, processes, type, jobs } = await atWork(t)
  const processId = await processes.deployTask({ type, forEach: { items: '=items', order: 'parallel' } })
  const keys = () => jobs.map(({ key }) => key)
  await processes.start(processId, { items: Array.from({ length: 100 }, (_, n) => n) })
  for (let round = 1; round <= 4; round += 1) {
    await waitFor(`all jobs for the ${round}. time`, () => jobs.length === round * 100, 60_000)
    assert.equal(new Set(keys().slice(-100)).size, 100)
    const backOffMs = () => 50 + Math.round(Math.random() * 450)
    await Promise.all(
      jobs
        .slice(-100)
        .map((job) =>
          engine.settle(job, { kind: 'fail', retries: 3, backOffMs: backOffMs(), message: 'not yet' }),
        ),
    )
  }
})

it('a back-off is over no sooner than it was said', async (t) => {
  const { engine, processes, processId, jobs } = await atWork(t)
  await processes.start(processId)
  const job = await waitFor('the job', () => jobs[0])
  const failedAt = performance.now()
  await engine.settle(job, { kind: 'fail', retries: 2, backOffMs: 500, message: 'not yet' })
  const again = await waitFor('the job again', () => jobs[1])
  assert.ok(performance.now() - failedAt >= 500)
  assert.equal(again.retries, 2)
})

it('an engine that is closed is told of the jobs that back off, and hands them out when it is over', async (t) => {
  const { engine, worker, type, processes, processId, jobs } = await atWork(t)
  await processes.start(processId)
  const job = await waitFor('the job', () => jobs[0])
  await engine.settle(job, { kind: 'fail', retries: 2, backOffMs: 1000, message: 'not yet' })
  await worker.stop(0)
  await engine.close()
  const others: Job[] = []
  const next = createZeebeEngine(readConfig({ ZEEBE_ADDRESS: address }), silentLog)
  const second = work(next, type, others)
  t.after(async () => {
    await second.stop(0)
    await next.close()
  })
  assert.equal((await waitFor('the job again', () => others[0])).retries, 2)
})

it('only the first completion of a job is accepted; the second finds it gone', async (t) => {
  const { engine, processes, processId, jobs } = await atWork(t)
  const ended = processes.run(processId)
  const job = await waitFor('the job', () => jobs[0])
  const completion = { kind: 'complete', variables: { receipt: { offset: 1 } } } as const
  assert.equal(await engine.settle(job, completion), 'accepted')
  assert.equal(await engine.settle(job, completion), 'gone')
  assert.deepEqual((await ended).receipt, { offset: 1 })
})

it('the job of a cancelled instance is gone', async (t) => {
  const { engine, client, processes, processId, jobs } = await atWork(t)
  const instance = await processes.start(processId)
  const job = await waitFor('the job', () => jobs[0])
  await client.cancelProcessInstance(instance)
  assert.equal(await engine.settle(job, { kind: 'complete', variables: {} }), 'gone')
})

it('a job that stands at an incident is not gone: it comes again once somebody resolves it', async (t) => {
  const { engine, processes, processId, jobs } = await atWork(t)
  await processes.start(processId)
  const job = await waitFor('the job', () => jobs[0])
  await engine.settle(job, {
    kind: 'fail',
    retries: 0,
    backOffMs: 0,
    message: 'late failure of another worker',
  })
  assert.equal(await engine.settle(job, { kind: 'complete', variables: {} }), 'unanswered')
})

it('a stopped worker leaves no job to wait out its timeout', async (t) => {
  const { engine, type, worker, processes, processId, jobs } = await atWork(t)
  const starting = Array.from({ length: 40 }, () => processes.start(processId))
  await waitFor('the first job', () => jobs[0])
  const stopping = worker.stop(0)
  await Promise.all([...starting, stopping])
  const inHand = new Set(jobs.map(({ key }) => key))
  const others: Job[] = []
  const second = work(engine, type, others)
  t.after(() => second.stop(0))
  await waitFor('all jobs', () => new Set([...inHand, ...others.map(({ key }) => key)]).size === 40, 10_000)
  assert.ok(others.every(({ retries }) => retries === 3))
})

it('the age of the last poll falls with every poll that the engine answers', async (t) => {
  const { worker } = await atWork(t)
  let highest = 0
  await waitFor('the age to fall', () => {
    const age = worker.lastPollAgeMs()
    if (Number.isFinite(age)) highest = Math.max(highest, age)
    return age < highest
  })
})

it('an instance is started by JSON text, of which no digit is lost', async (t) => {
  const { engine, processId, jobs } = await atWork(t)
  const variables = '{"max":9223372036854775807,"odd":9007199254740993,"text":"Grüße \\"1\\""}'
  const { processInstanceKey, processVersion } = await engine.start({ processId, version: null, variables })
  const job = await waitFor('the job', () => jobs[0])
  assert.equal(job.processInstanceKey, processInstanceKey)
  assert.equal(job.processVersion, processVersion)
  assert.match(job.variables, /"max":9223372036854775807/)
  assert.match(job.variables, /"odd":9007199254740993/)
  assert.equal(JSON.parse(job.variables).text, 'Grüße "1"')
})

it('the version that is asked for is started, and not the newest', async (t) => {
  const { engine, type, processes, jobs } = await atWork(t)
  const processId = await processes.deployTask({ type })
  await processes.deployTask({ type, processId, retries: 7 })
  const newest = await engine.start({ processId, version: null, variables: '{}' })
  const first = await engine.start({ processId, version: 1, variables: '{}' })
  assert.deepEqual([newest.processVersion, first.processVersion], [2, 1])
  await waitFor('both jobs', () => jobs.length === 2)
})

it('a process or version that is not deployed is refused by name, with the cure', async (t) => {
  const { engine, processId } = await atWork(t)
  await assert.rejects(engine.start({ processId: 'not-there', version: null, variables: '{}' }), {
    code: 'PROCESS_UNKNOWN',
    message:
      'the engine has no process "not-there": deploy it, or correct the process id or version of the trigger',
  })
  await assert.rejects(engine.start({ processId, version: 99, variables: '{}' }), {
    code: 'PROCESS_UNKNOWN',
    message: /version 99 of process/,
  })
})

it('variables that are no object, or too large, are refused for good, and the connection lives on', async (t) => {
  const { engine, processId, jobs } = await atWork(t)
  const start = (variables: string) => engine.start({ processId, version: null, variables })
  await assert.rejects(start('[1]'), { code: 'ENGINE_REFUSED' })
  await assert.rejects(start(JSON.stringify({ text: 'x'.repeat(4 * 1024 * 1024) })), {
    code: 'MESSAGE_TOO_LARGE',
  })
  await start('{}')
  await waitFor('the job', () => jobs[0])
})

it('variables that the engine takes and fails on are told from an engine that is away', async (t) => {
  const { engine, processId } = await atWork(t)
  const variables = JSON.stringify({ text: 'x'.repeat(3 * 1024 * 1024) })
  await assert.rejects(engine.start({ processId, version: null, variables }), {
    code: 'ENGINE_FAILED',
    message: /the variables have 3145739 bytes; with more than 2 MiB it fails so/,
  })
})

it('a connection that is cut off amid a call is no failure of the engine', async (t) => {
  const engine = engineAt(t, await cuttingServer(t))
  const start = engine.start({ processId: 'any', version: null, variables: '{}' })
  await assert.rejects(start, { code: 'ENGINE_UNREACHABLE' })
  const message = { name: 'any', correlationKey: '1', messageId: '1', ttlMs: 0, variables: '{}' }
  await assert.rejects(engine.correlate(message), { code: 'ENGINE_UNREACHABLE' })
})

it('an instance that is awaited answers when it has ended', async (t) => {
  const { engine, processId, jobs } = await atWork(t)
  let isOver = false
  const started = engine.start({ processId, version: null, variables: '{}', awaitMs: 60_000 }).finally(() => {
    isOver = true
  })
  const job = await waitFor('the job', () => jobs[0])
  assert.equal(isOver, false)
  await engine.settle(job, { kind: 'complete', variables: {} })
  assert.equal((await started).processInstanceKey, job.processInstanceKey)
})

it('an awaited instance that does not end in time is reported as one that may run', async (t) => {
  const { engine, processId, jobs } = await atWork(t)
  await assert.rejects(engine.start({ processId, version: null, variables: '{}', awaitMs: 1000 }), {
    code: 'COMPLETION_UNKNOWN',
    message: /may run on, but it has not ended after 1000 ms/,
  })
  await waitFor('the job', () => jobs[0])
})

it('the end of one wait cuts off no other', async (t) => {
  const { engine, processId, jobs } = await atWork(t)
  const patient = engine.start({ processId, version: null, variables: '{}', awaitMs: 60_000 })
  const job = await waitFor('the job', () => jobs[0])
  const impatient = engine.start({ processId, version: null, variables: '{}', awaitMs: 1000 })
  await assert.rejects(impatient, { code: 'COMPLETION_UNKNOWN' })
  // An answer tells that whatever the engine cut off is known by now.
  await engine.check()
  await engine.settle(job, { kind: 'complete', variables: {} })
  assert.equal((await patient).processInstanceKey, job.processInstanceKey)
})

it('an engine that is away is no reason to think that an awaited instance runs', async (t) => {
  const engine = engineAt(t, await deadAddress())
  const start = engine.start({ processId: 'any', version: null, variables: '{}', awaitMs: 1000 })
  await assert.rejects(start, { code: 'ENGINE_UNREACHABLE' })
})

it('a message is taken once by its id, and the second time counts as done', async (t) => {
  const { engine } = await atWork(t)
  const message = {
    name: `test-${randomUUID()}`,
    correlationKey: 'order-1',
    messageId: 'orders-0-1',
    ttlMs: 60_000,
    variables: '{"n":9007199254740993}',
  }
  assert.match((await engine.correlate(message)) ?? '', /^\d{10,}$/)
  assert.equal(await engine.correlate(message), null)
  assert.match((await engine.correlate({ ...message, messageId: 'orders-0-2' })) ?? '', /^\d{10,}$/)
})

it('a message reaches the instance that waits for its key, with every digit', async (t) => {
  const { engine, type, processes, jobs } = await atWork(t)
  const name = `test-${randomUUID()}`
  const processId = await processes.deployMessageThenTask({ name, correlationKey: '=orderId', type })
  await processes.start(processId, { orderId: 'order-7' })
  const variables = '{"amount":9007199254740993}'
  await engine.correlate({ name, correlationKey: 'order-7', messageId: '1', ttlMs: 60_000, variables })
  const job = await waitFor('the job', () => jobs[0])
  assert.match(job.variables, /"amount":9007199254740993/)
})

it('the client has the private stream that the polls are made of', async (t) => {
  const client = new ZBClient(address, { loglevel: 'NONE', retry: false })
  t.after(() => client.close())
  // biome-ignore lint/complexity/useLiteralKeys: TypeScript lets a private member be read only this way
  assert.equal(typeof client['grpc'].activateJobsStream, 'function')
})

it('an engine that is not there is told within the time limit', async (t) => {
  const engine = engineAt(t, await deadAddress())
  const startedAt = performance.now()
  await assert.rejects(engine.check(), { code: 'ENGINE_UNREACHABLE' })
  assert.ok(performance.now() - startedAt < 12_000)
})

function engineAt(t: TestContext, at: string): Engine {
  const engine = createZeebeEngine(readConfig({ ZEEBE_ADDRESS: at }), silentLog)
  t.after(() => engine.close())
  return engine
}

function work(engine: Engine, type: string, jobs: Job[], options: Partial<WorkOptions> = {}) {
  return engine.work({ types: [type], maxInFlight: 64, jobTimeoutMs: 120_000, ...options }, async (job) => {
    jobs.push(job)
  })
}

/** A worker that takes the jobs of a process of its own and settles none of them. */
async function atWork(t: TestContext) {
  const type = `test-${randomUUID()}`
  const jobs: Job[] = []
  const engine = createZeebeEngine(readConfig({ ZEEBE_ADDRESS: address }), silentLog)
  const worker = work(engine, type, jobs)
  t.after(async () => {
    await worker.stop(0)
    await engine.close()
  })
  const processes = processesOn(t, address)
  const client = new ZBClient(address, { loglevel: 'NONE', retry: false })
  t.after(() => client.close())
  return { type, jobs, engine, worker, processes, client, processId: await processes.deployTask({ type }) }
}
