import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createPolicy } from '../../src/alerts/policies.js'
import { POLICY_DEFAULTS } from '../../src/alerts/policy.js'
import { countCalls } from '../helpers/counted-calls.js'
import { createRelay } from '../helpers/relay.js'
import { waitFor } from '../helpers/wait-for.js'

const FOR_SECONDS = 6
/** 15 s are promised; a machine busy with other tests gets more. */
const PATIENCE_MS = 60_000

test('An alert that pends when one of two workers is killed', async (t) => {
  const relay = await createRelay(t)
  const { database } = relay
  const workers = await Promise.all([relay.startWorker(), relay.startWorker()])
  const adapter = await relay.adapter({ kind: 'kafka' })
  await database.query(`INSERT INTO notifier (id, name, kind, settings) VALUES ($1, 'log', 'log', '{}')`, [
    randomUUID(),
  ])
  await createPolicy(database, {
    ...POLICY_DEFAULTS,
    ...{
      name: 'fails',
      metric: 'errors',
      operator: 'above',
      threshold: 10,
      forSeconds: FOR_SECONDS,
      notifiers: ['log'],
    },
  })
  const alertIs = (state: string) =>
    waitFor(
      `an alert to be ${state}`,
      async () => {
        const [alert] = await database.query<{ lateSeconds: number | null }>(
          `SELECT extract(epoch FROM fired_at - since)::double precision - $2 AS "lateSeconds" FROM alert WHERE state = $1`,
          [state, FOR_SECONDS],
        )
        return alert
      },
      PATIENCE_MS,
    )
  const notices = async () =>
    (
      await database.query<{ seen: string }>(
        `SELECT kind || ' ' || status || ' ' || attempts AS seen FROM alert_notice ORDER BY id`,
      )
    ).map(({ seen }) => seen)
  const delivered = (...expected: string[]) =>
    waitFor(
      `${expected.length} notices`,
      async () => (await notices()).join() === expected.join(),
      PATIENCE_MS,
    )

  await countCalls(database, new Date(), { adapter: adapter.id, calls: 20, errors: 20 })
  await alertIs('pending')
  await workers[0].kill()

  await t.test('fires when its duration is over', async (t) => {
    const { lateSeconds } = await alertIs('firing')
    t.diagnostic(`${lateSeconds?.toFixed(1)} s after it was due`)
  })

  await t.test('is told once', async () => {
    await delivered('firing delivered 1')
  })

  await t.test('is resolved and told once', async () => {
    await database.query('DELETE FROM sla_counter')
    await alertIs('resolved')
    await delivered('firing delivered 1', 'resolved delivered 1')
    const [row] = await database.query<{ alerts: number }>('SELECT count(*)::int AS alerts FROM alert')
    assert.equal(row?.alerts, 1)
    for (const title of ['Firing: fails', 'Resolved: fails']) {
      const told = workers.map(({ log }) => log().split(title).length - 1)
      assert.deepEqual(told, [0, 1], title)
    }
  })
})
