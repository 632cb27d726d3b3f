import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { completeJobs } from '../helpers/jobs.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { settable } from '../helpers/settable.js'
import {
  deadLetters,
  repetitions,
  send,
  start,
  startable,
  statuses,
  statusOf,
} from '../helpers/triggering.js'
import { openValve } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'

const { bootstrapServers } = testServers().kafka

test('While the engine is away nothing is consumed, lost or given up, and it goes on by itself', async (t) => {
  const relay = await createRelay(t)
  const worker = await relay.startWorker()
  const adapter = await relay.adapter({ kind: 'kafka', valueSerialization: 'json' })
  const { processId, variables } = await startable(t, relay)
  const topic = await kafka.createTopic(bootstrapServers, { partitions: 2 })
  const { id } = await relay.trigger({
    ...{ adapterId: adapter.id, topics: [topic], action: start(processId), maxAttempts: 1 },
  })
  const connection = kafka.kafkaConnection(t, bootstrapServers)
  await send(connection, topic, ['0'])
  await variables(1)
  relay.gateway.goAway()
  await send(
    connection,
    topic,
    Array.from({ length: 50 }, (_, n) => String(n)),
  )
  await statusOf(relay, id, ({ state }) => state === 'held')
  assert.match(worker.log(), /consuming waits.*ENGINE_UNREACHABLE/)
  relay.gateway.comeBack()
  await variables(51)
  assert.equal((await deadLetters(relay, id, 0)).length, 0)
  await statusOf(relay, id, ({ state }) => state === 'consuming')
  assert.doesNotMatch(worker.log(), /MaxListeners/)
})

test('While Postgres is away nothing is consumed, lost or done twice, and it goes on by itself', async (t) => {
  const relay = await createRelay(t)
  const url = new URL(relay.database.url)
  const valve = await openValve(t, url.host)
  url.host = valve.address
  const worker = await relay.startWorker({ DATABASE_URL: url.href, BPMN_RELAY_DATABASE_TIMEOUT_MS: '500' })
  const adapter = await relay.adapter({ kind: 'kafka', valueSerialization: 'json' })
  const { processId, variables } = await startable(t, relay)
  const topic = await kafka.createTopic(bootstrapServers, { partitions: 2 })
  await relay.trigger({
    ...{ adapterId: adapter.id, topics: [topic], action: start(processId), maxAttempts: 1 },
  })
  const connection = kafka.kafkaConnection(t, bootstrapServers)
  await send(connection, topic, ['0'])
  await waitFor('the first record', async () => (await statuses(relay, topic)).length === 1)
  valve.shut()
  await send(
    connection,
    topic,
    Array.from({ length: 20 }, (_, n) => String(n + 1)),
  )
  await waitFor('the worker to notice', () => /consuming waits.*DATABASE_AWAY/.test(worker.log()))
  assert.equal((await variables(1)).length, 1)
  valve.open()
  const payloads = (await variables(21)).map((json) => JSON.parse(json).payload)
  assert.equal(new Set(payloads).size, 21)
  assert.equal(payloads.length, 21)
})

/** By hand with more, as 5000 and 5: BPMN_RELAY_TEST_MESSAGES and BPMN_RELAY_TEST_KILLS. */
const MESSAGES = settable('BPMN_RELAY_TEST_MESSAGES', 400)
const KILLS = settable('BPMN_RELAY_TEST_KILLS', 2)
/** Messages in hand at a time. */
const IN_HAND = 20
const LIMIT_MS = 120_000

test(`The worker is killed ${KILLS} times while ${MESSAGES} messages each start and correlate`, async (t) => {
  const relay = await createRelay(t)
  const adapter = await relay.adapter({
    ...{ kind: 'kafka', valueSerialization: 'json' },
    settings: { consumer: { sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 } },
  })
  const topic = await kafka.createTopic(bootstrapServers, { partitions: 3 })
  const source = { adapterId: adapter.id, topics: [topic], concurrency: IN_HAND }
  const started = await startable(t, relay)
  await relay.trigger({ ...source, action: start(started.processId) })
  const correlated = completeJobs(t)
  const name = `test-${randomUUID()}`
  await relay.processes.deployMessageStart({ name, type: correlated.type })
  await relay.trigger({
    ...source,
    action: { kind: 'message', name, correlationKey: 'string(value)', messageId: null, ttlMs: 600_000 },
  })
  await send(
    kafka.kafkaConnection(t, bootstrapServers),
    topic,
    Array.from({ length: MESSAGES }, (_, n) => String(n)),
  )
  for (let kills = 0; ; kills += 1) {
    const worker = await relay.startWorker()
    if (kills === KILLS) break
    const enough = ((kills + 1) * MESSAGES) / (KILLS + 2)
    await waitFor(`${enough} instances`, () => started.jobs.length >= enough, LIMIT_MS)
    await worker.kill()
  }
  const twiceStarted = await repetitions(started, MESSAGES, LIMIT_MS)
  const twiceCorrelated = await repetitions(correlated, MESSAGES, LIMIT_MS)
  t.diagnostic(
    `${MESSAGES} messages, ${KILLS} kills: ${twiceStarted} started twice, ${twiceCorrelated} correlated twice`,
  )
  assert.ok(twiceStarted <= KILLS * IN_HAND, `${twiceStarted} started twice`)
  assert.equal(twiceCorrelated, 0)
})
