import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startKafka } from '../../src/stack/kafka.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { deadAddress, hangingServer } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'

const MAX_IN_FLIGHT = 8
const QUICK = { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 }

test('A broker that is out of order', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const living = await relay.adapter({ kind: 'kafka' })
  const topic = await kafka.createTopic(bootstrapServers)
  await relay.startWorker({ BPMN_RELAY_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT) })

  await t.test('a changed environment variable leads the next message to the living broker', async () => {
    const broker = { name: 'BROKER', secret: false, description: '' }
    await relay.store.setVariable({ ...broker, value: await deadAddress() })
    const adapter = await relay.adapter({ kind: 'kafka', address: '@env(BROKER)', settings: QUICK })
    const processId = await relay.deploy('kafka', {
      inputs: { adapterId: adapter.id, topic, message: 'm' },
      headers: { retryBackoff: 'PT0.2S' },
      retries: 100,
    })
    const ended = relay.processes.run(processId)
    const failure = await relay.gateway.accepted('fail')
    assert.match(failure.message, /^BROKER_UNREACHABLE: /)
    assert.equal(failure.retries, 99)
    await relay.store.setVariable({ ...broker, value: bootstrapServers })
    await ended
  })

  await t.test('a hanging broker leaves the slots of the worker to the others', async (t) => {
    const { address } = await hangingServer(t)
    const hanging = await relay.adapter({
      kind: 'kafka',
      address,
      settings: { connectionTimeoutMs: 1000, requestTimeoutMs: 20_000 },
    })
    const task = { topic, message: 'm' }
    const stuck = await relay.deploy('kafka', { inputs: { adapterId: hanging.id, ...task } })
    const well = await relay.deploy('kafka', { inputs: { adapterId: living.id, ...task } })
    const stuckJobs = 2 * MAX_IN_FLIGHT
    for (let n = 0; n < stuckJobs; n++) await relay.processes.start(stuck)
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: 50 }, () => relay.processes.run(well)))
    const tookMs = performance.now() - startedAt

    await t.test('their jobs go on', () =>
      assert.ok(tookMs < 10_000, `50 jobs took ${Math.round(tookMs)} ms`),
    )
    await t.test('its own further jobs are held and keep their retries', async () => {
      const held = await waitFor('held jobs', () => {
        const found = relay.gateway.settled.filter(({ message }) => message.startsWith('ADAPTER_UNANSWERING'))
        return found.length > 0 && found
      })
      assert.ok(held.every(({ retries }) => retries === 3))
    })
  })
})

test('A job whose broker is down for a while is published once the broker is back', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-kafka-'))
  const relay = await createRelay(t)
  const start = () => startKafka({ folder, onProgress: () => undefined })
  let broker = await start()
  t.after(async () => {
    await broker.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const { bootstrapServers } = broker
  const topic = await kafka.createTopic(bootstrapServers)
  const adapter = await relay.adapter({ kind: 'kafka', address: bootstrapServers, settings: QUICK })
  const processId = await relay.deploy('kafka', {
    inputs: { adapterId: adapter.id, topic },
    headers: { retryBackoff: 'PT1S' },
    retries: 100,
  })
  await relay.startWorker()
  await relay.processes.run(processId, { order: 1 })

  await broker.kill()
  const ended = relay.processes.run(processId, { order: 2 })
  const failure = await relay.gateway.accepted('fail')
  assert.equal(failure.retries, 99)
  assert.equal(Object(failure.variables.error).retryable, true)
  broker = await start()
  await ended

  const values = (await kafka.readTopic(bootstrapServers, topic, 2)).map(({ value }) => String(value))
  assert.deepEqual(values, ['{"order":1}', '{"order":2}'])
  const instanceKey = await instanceOf(failure.jobKey)
  const rows = await relay.audit(instanceKey, 2)
  const last = rows.at(-1)
  assert.deepEqual([rows[0]?.status, rows[0]?.attempt], ['failed', 1])
  assert.deepEqual([last?.status, last?.attempt], ['published', rows.length])

  async function instanceOf(jobKey: string): Promise<string> {
    const [row] = await relay.database.query<{ process_instance_key: string }>(
      'SELECT process_instance_key FROM sys_audit_log WHERE job_key = $1',
      [jobKey],
    )
    assert.ok(row)
    return row.process_instance_key
  }
})
