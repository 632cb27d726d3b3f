import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { BrokerConnection } from '../../src/brokers/broker.js'
import type { JobsOfType } from '../helpers/jobs.js'
import * as kafka from '../helpers/kafka.js'
import { ownKafka, QUICK_LIMITS } from '../helpers/own-kafka.js'
import { createRelay, type Relay } from '../helpers/relay.js'
import { settable } from '../helpers/settable.js'
import { deadLetters, repetitions, send, start, startable, statusOf } from '../helpers/triggering.js'
import { waitFor } from '../helpers/wait-for.js'

const MESSAGES = 1000
/** Those published before the outage begins; the worker has begun with them then. */
const BEFORE = 900
/** Of those: published and handled, but for the poison one, before the others are. */
const EARLY = 500
const KEYS = 100
const POISON = 155
/** Three copies of it are more than the engine takes, which it reports as a fault of its own: that is tried again. */
const POISON_TEXT = 'p'.repeat(900_000)
const MAX_ATTEMPTS = 3
const BACK_OFF_MS = 1000
const RETRY_BUDGET_MS = BACK_OFF_MS + 2 * BACK_OFF_MS
/** What a busy machine may take besides for the attempts themselves and their records. */
const BUSY_MS = 10_000
/** Messages in hand at a time. */
const IN_HAND = 20
/** By hand with longer, as 30000. */
const ENGINE_AWAY_MS = settable('BPMN_RELAY_TEST_ENGINE_AWAY_MS', 3000)
const PATIENCE_MS = 180_000

test(`One of ${MESSAGES} messages is poison; then the engine goes away and Kafka is killed and started again`, async (t) => {
  const relay = await createRelay(t)
  const broker = await ownKafka()
  t.after(() => broker.stop())
  const worker = await relay.startWorker()
  const adapter = await relay.adapter({
    ...{ kind: 'kafka', valueSerialization: 'json' },
    ...{ address: broker.address, settings: QUICK_LIMITS },
  })
  const started = await startable(t, relay)
  const topic = await kafka.createTopic(broker.address, { partitions: 3 })
  const { id } = await relay.trigger({
    ...{ adapterId: adapter.id, topics: [topic], action: start(started.processId), concurrency: IN_HAND },
    ...{ maxAttempts: MAX_ATTEMPTS, retryBackOffMs: BACK_OFF_MS },
    variables:
      '{payload: value.n, id: topic + "-" + string(partition) + "-" + string(offset), copies: [value.text, value.text, value.text]}',
  })
  const connection = kafka.kafkaConnection(t, broker.address)

  await sendNumbered(connection, topic, 0, EARLY)
  await repetitions(started, EARLY - 1, PATIENCE_MS)
  await deadLetters(relay, id, 1)

  await t.test('the poison one is tried as often as it may be', async () => {
    assert.deepEqual(await failures(relay, topic), [
      { attempt: 1, status: 'failed', error_code: 'ENGINE_FAILED' },
      { attempt: 2, status: 'failed', error_code: 'ENGINE_FAILED' },
      { attempt: 3, status: 'failed', error_code: 'ENGINE_FAILED' },
    ])
  })

  await t.test('its partition waits no longer than the retries take', async (t) => {
    const { later, passed, waited_ms } = await waiting(relay, topic, idOf(started, POISON + KEYS))
    t.diagnostic(
      `${passed} of ${later} later ones of its partition overtook it; the next of its key waited ${waited_ms} ms, of which its back-offs are ${RETRY_BUDGET_MS}`,
    )
    assert.ok(passed > 0, 'none overtook it')
    assert.ok(waited_ms >= RETRY_BUDGET_MS, 'the order of its key is kept')
    assert.ok(waited_ms <= RETRY_BUDGET_MS + BUSY_MS, `it waited ${waited_ms} ms`)
  })

  await sendNumbered(connection, topic, EARLY, BEFORE)
  await waitFor('some of the others', () => started.jobs.length > EARLY + IN_HAND, PATIENCE_MS)
  relay.gateway.goAway()
  const atOutage = started.jobs.length
  await waitFor('the worker to notice', () => /consuming waits.*ENGINE_UNREACHABLE/.test(worker.log()))
  const restart = async () => {
    await broker.kill()
    await broker.restart()
  }
  const comeBack = async () => {
    await delay(ENGINE_AWAY_MS)
    relay.gateway.comeBack()
  }
  await Promise.all([restart(), comeBack()])
  await sendNumbered(connection, topic, BEFORE, MESSAGES)
  const backAt = performance.now()

  await t.test('it goes on by itself, and every other message has its instance', async (t) => {
    const twice = await repetitions(started, MESSAGES - 1, PATIENCE_MS)
    const tookMs = Math.round(performance.now() - backAt)
    t.diagnostic(
      `engine away for ${ENGINE_AWAY_MS} ms with ${MESSAGES - 1 - atOutage} instances to start; all there ${tookMs} ms after both were back, ${twice} started twice`,
    )
    assert.ok(twice <= IN_HAND, `${twice} started twice`)
    await statusOf(relay, id, ({ state }) => state === 'consuming')
  })

  await t.test('only the poison one is a dead letter, with its reason', async () => {
    const letters = await deadLetters(relay, id, 1)
    assert.deepEqual(
      letters.map(({ stage }) => stage),
      ['action'],
    )
    assert.match(letters[0]?.error_text ?? '', /the engine failed: .*with more than 2 MiB it fails so/s)
  })

  await t.test('the outage cost no message an attempt', async () => {
    assert.equal((await failures(relay, topic)).length, MAX_ATTEMPTS)
  })
})

/** Publishes those of these numbers, each under the key of its number. */
async function sendNumbered(
  connection: BrokerConnection,
  topic: string,
  from: number,
  to: number,
): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index)
  await Promise.all(
    numbers.map((n) => {
      const value = { n, text: n === POISON ? POISON_TEXT : null }
      return send(connection, topic, [JSON.stringify(value)], { key: Buffer.from(`key-${n % KEYS}`) })
    }),
  )
}

/** Of all deliveries from the topic those that failed, oldest first. */
async function failures(relay: Relay, topic: string) {
  return await relay.database.query<{ attempt: number; status: string; error_code: string }>(
    `SELECT attempt, status, error_code FROM sys_audit_log
     WHERE source = 'trigger' AND destination = $1 AND error_code IS NOT NULL ORDER BY at, id`,
    [topic],
  )
}

/** The id of the message whose payload this is, as its instance has it. */
function idOf({ jobs }: Pick<JobsOfType, 'jobs'>, payload: number): string {
  const given = jobs.map(({ variables }) => JSON.parse(variables))
  return given.find((variables) => variables.payload === payload).id
}

/**
 * What the dead letter meant for others: how many of the later ones of its partition were done before it was given up,
 * and how long after its first failure the message of this id was done.
 */
async function waiting(relay: Relay, topic: string, nextId: string) {
  return await waitFor('the next of the key to be recorded', async () => {
    const [row] = await relay.database.query<{ later: number; passed: number; waited_ms: number }>(
      `WITH letter AS (SELECT * FROM dead_letter WHERE topic = $1),
         failure AS (
           SELECT min(at) AS at FROM sys_audit_log
           WHERE source = 'trigger' AND destination = $1 AND error_code IS NOT NULL
         )
       SELECT
         count(*)::int AS later,
         (count(*) FILTER (WHERE other.at < letter.at))::int AS passed,
         round(extract(epoch FROM next.at - failure.at) * 1000)::int AS waited_ms
       FROM letter, failure, trigger_ledger AS next, trigger_ledger AS other
       WHERE next.message_id = $2 AND other.topic = $1 AND other.partition = letter.partition
         AND substring(other.message_id FROM '[0-9]+$')::bigint > letter.queue_offset
       GROUP BY failure.at, letter.at, next.at`,
      [topic, nextId],
    )
    return row
  })
}
