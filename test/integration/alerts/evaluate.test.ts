import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acknowledge, alertById, alertPage } from '../../../src/alerts/alerts.js'
import { evaluate } from '../../../src/alerts/evaluate.js'
import { deletePolicy, updatePolicy } from '../../../src/alerts/policies.js'
import { addSilence, alertSilences, removeSilence } from '../../../src/alerts/silences.js'
import { silentLog } from '../../../src/core/log.js'
import { KEPT, testsOnWatchedAdapter, type Watched } from '../../helpers/alerts.js'
import { waitFor } from '../../helpers/wait-for.js'

test('the evaluation of alert policies', async (t) => {
  const it = await testsOnWatchedAdapter(t)
  await it('makes one alert and one notice of a period in which the condition holds', async (watched) => {
    await watched.policy()
    await watched.fail(11)
    for (let i = 0; i < 3; i += 1) await watched.evaluate()
    assert.deepEqual(await watched.seen(), { alerts: ['firing'], notices: ['firing waiting'] })
  })

  await it('counts the calls of all workers in the window, of the running minute too', async (watched) => {
    await watched.policy()
    await watched.fail(6)
    await watched.evaluate()
    assert.deepEqual((await watched.seen()).alerts, [])
    await watched.fail(6)
    await watched.evaluate()
    assert.deepEqual((await watched.seen()).alerts, ['firing'])
  })

  await it('resolves the alert once, and makes another of the next period', async (watched) => {
    await watched.policy()
    await watched.fail(11)
    await watched.evaluate()
    await watched.recover()
    for (let i = 0; i < 2; i += 1) await watched.evaluate()
    assert.deepEqual(await watched.seen(), {
      alerts: ['resolved'],
      notices: ['firing waiting', 'resolved waiting'],
    })
    await watched.fail(11)
    await watched.evaluate()
    assert.deepEqual((await watched.seen()).alerts, ['resolved', 'firing'])
  })

  await it('lets an alert pend for its duration, whoever evaluates', async (watched) => {
    await watched.policy({ forSeconds: 60 })
    await watched.fail(11)
    await watched.evaluate()
    assert.deepEqual(await watched.seen(), { alerts: ['pending'], notices: [] })
    await watched.pass(60)
    await watched.evaluate({ by: await watched.another() })
    assert.deepEqual(await watched.seen(), { alerts: ['firing'], notices: ['firing waiting'] })
  })

  await it('lets it pend anew when nobody has watched for a while', async (watched) => {
    await watched.policy({ forSeconds: 60 })
    await watched.fail(11)
    await watched.evaluate()
    await watched.pass(120)
    await watched.query(`UPDATE alert_evaluation SET evaluated_at = now() - interval '2 min'`)
    await watched.evaluate()
    assert.deepEqual((await watched.seen()).alerts, ['pending'])
  })

  await it('leaves no trace of a condition that ends before its duration', async (watched) => {
    await watched.policy({ forSeconds: 60 })
    await watched.fail(11)
    await watched.evaluate()
    await watched.recover()
    await watched.evaluate()
    assert.deepEqual(await watched.seen(), { alerts: [], notices: [] })
  })

  await it('fires once though the worker at it is killed in the middle and others take over', async (watched) => {
    await watched.policy()
    await watched.fail(11)

    // With the outbox locked, the evaluation stops after the alert has changed and before its notices are made.
    const blocker = watched.orm.dataSource.createQueryRunner()
    await blocker.startTransaction()
    await blocker.query('LOCK TABLE alert_notice IN ACCESS EXCLUSIVE MODE')
    const killed = assert.rejects(watched.evaluate({ by: await watched.another() }), {
      code: 'DATABASE_AWAY',
    })
    await waitFor('the evaluation to wait for the outbox', async () => {
      const [row] = await watched.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO alert_notice%'`,
      )
      return row && (await watched.query('SELECT pg_terminate_backend($1)', [row.pid])).length > 0
    })
    await killed
    await blocker.rollbackTransaction()
    await blocker.release()

    assert.deepEqual(await watched.seen(), { alerts: [], notices: [] })
    const others = [await watched.another(), await watched.another()]
    for (const by of others) await watched.evaluate({ by })
    assert.deepEqual(await watched.seen(), { alerts: ['firing'], notices: ['firing waiting'] })
  })

  await it('is done by one worker, though many try at the same moment', async (watched) => {
    await watched.policy()
    await watched.fail(11)
    const workers = [watched, await watched.another(), await watched.another()]
    const options = { kept: KEPT, heartbeatsCount: true, log: silentLog }
    const done = await Promise.all(workers.map((worker) => evaluate(worker, options)))
    assert.equal(done.filter(Boolean).length, 1)
    assert.deepEqual(await watched.seen(), { alerts: ['firing'], notices: ['firing waiting'] })
  })

  await it('makes a notice for each notifier of the policy, with all that there is to say', async (watched) => {
    const policy = await watched.policy({
      notifiers: ['people', 'log'],
      owners: ['ada'],
      severity: 'critical',
    })
    await watched.fail(12)
    await watched.evaluate()
    const rows = await watched.query<{ notifier: string; notice: Record<string, unknown> }>(
      'SELECT notifier, notice FROM alert_notice ORDER BY notifier',
    )
    assert.deepEqual(
      rows.map(({ notifier }) => notifier),
      ['log', 'people'],
    )
    const { id, alertId, since, at, ...said } = rows[0]?.notice ?? assert.fail()
    assert.equal(id, `${alertId}:firing`)
    assert.equal(since, at)
    assert.deepEqual(said, {
      kind: 'firing',
      policy: policy.name,
      severity: 'critical',
      title: 'Firing: orders-fail (orders)',
      text: 'Errors of adapter "orders" is 12 (> 10) over the last 5 min.',
      metric: 'errors',
      value: 12,
      threshold: 10,
      adapter: 'orders',
      owners: ['ada'],
    })
  })

  const ends: [what: string, because: RegExp, end: (watched: Watched) => unknown][] = [
    [
      'its policy is disabled',
      /policy was disabled/,
      (w) => updatePolicy(w, 'orders-fail', { enabled: false }),
    ],
    ['its policy is deleted', /policy was deleted/, (w) => deletePolicy(w, 'orders-fail')],
    [
      'its policy gets another metric',
      /another metric now: calls/,
      (w) => updatePolicy(w, 'orders-fail', { metric: 'calls', threshold: 1000 }),
    ],
    [
      'its policy leaves its adapter out',
      /Adapter "orders" is deleted, disabled or no longer in the scope/,
      (w) => updatePolicy(w, 'orders-fail', { adapterKind: 'rocketmq' }),
    ],
    [
      'its adapter is deleted',
      /Adapter "orders" is deleted, disabled/,
      (w) => w.query('DELETE FROM adapter'),
    ],
  ]
  for (const [what, because, end] of ends) {
    await it(`resolves an alert when ${what}, and says so`, async (watched) => {
      await watched.policy()
      await watched.fail(11)
      await watched.evaluate()
      await end(watched)
      for (let i = 0; i < 2; i += 1) await watched.evaluate()
      const [alert, ...more] = (await alertPage(watched, {}, { limit: 10 })).alerts
      assert.deepEqual(more, [])
      assert.equal(alert?.state, 'resolved')
      assert.match(alert?.resolvedBecause ?? '', because)
      assert.deepEqual((await watched.seen()).notices, ['firing waiting', 'resolved waiting'])
    })
  }
})

test('a silence', async (t) => {
  const it = await testsOnWatchedAdapter(t)
  const HOUR_MS = 3_600_000
  const silence = (given: Partial<Parameters<typeof addSilence>[1]>) => ({
    ...{ policyId: null, adapterId: null, severity: null, reason: 'maintenance', createdBy: 'ada' },
    ...{ startsAt: new Date(Date.now() - HOUR_MS), endsAt: new Date(Date.now() + HOUR_MS) },
    ...given,
  })

  await it('keeps notices from people, of the end too, but not the alert from the list', async (watched) => {
    await addSilence(watched, silence({ adapterId: watched.adapterId }))
    await watched.policy()
    await watched.fail(11)
    await watched.evaluate()
    assert.deepEqual(await watched.seen(), { alerts: ['firing'], notices: ['firing silenced'] })
    await watched.recover()
    await watched.evaluate()
    assert.deepEqual(await watched.seen(), { alerts: ['resolved'], notices: ['firing silenced'] })
  })

  await it('lets people know at its end what still fires', async (watched) => {
    const id = await addSilence(watched, silence({ severity: 'warning' }))
    await watched.policy()
    await watched.fail(11)
    await watched.evaluate()
    await removeSilence(watched, id)
    await watched.evaluate()
    assert.deepEqual(await watched.seen(), { alerts: ['firing'], notices: ['firing waiting'] })
  })

  await it('that begins later does not keep the end from people who know of the beginning', async (watched) => {
    const { id } = await watched.policy()
    await watched.fail(11)
    await watched.evaluate()
    await addSilence(watched, silence({ policyId: id }))
    await watched.recover()
    await watched.evaluate()
    assert.deepEqual((await watched.seen()).notices, ['firing waiting', 'resolved waiting'])
  })

  for (const [what, given] of [
    ['is over', { endsAt: new Date(Date.now() - 1000) }],
    ['has not begun', { startsAt: new Date(Date.now() + HOUR_MS / 2) }],
    ['is about another severity', { severity: 'critical' }],
  ] as const) {
    await it(`that ${what} keeps nothing back`, async (watched) => {
      await addSilence(watched, silence(given))
      await watched.policy()
      await watched.fail(11)
      await watched.evaluate()
      assert.deepEqual((await watched.seen()).notices, ['firing waiting'])
    })
  }

  await it('that ends before it starts is refused', async (watched) => {
    await assert.rejects(addSilence(watched, silence({ endsAt: new Date(0) })), { code: 'INPUT_INVALID' })
  })

  await it('is listed until it is over', async (watched) => {
    await addSilence(watched, silence({ adapterId: watched.adapterId }))
    await addSilence(watched, silence({ endsAt: new Date(Date.now() - 1000) }))
    const names = async (over: boolean) =>
      (await alertSilences(watched, { over })).map(({ adapterName }) => adapterName)
    assert.deepEqual(await names(false), ['orders'])
    assert.deepEqual(await names(true), [null, 'orders'])
  })
})

test('the list of alerts', async (t) => {
  const it = await testsOnWatchedAdapter(t)
  await it('is filtered by state, severity, policy, adapter, time and acknowledgement', async (watched) => {
    const policy = await watched.policy()
    await watched.policy({ name: 'other', severity: 'critical', threshold: 5 })
    await watched.fail(11)
    await watched.evaluate()
    await updatePolicy(watched, 'other', { enabled: false })
    await watched.evaluate()
    const list = async (filter: Parameters<typeof alertPage>[1]) =>
      (await alertPage(watched, filter, { limit: 10 })).alerts.map((alert) => alert.policy)
    const [fired] = (await alertPage(watched, { policy: policy.id }, { limit: 1 })).alerts
    await acknowledge(watched, fired?.id ?? '', 'ada', 'looking')

    assert.deepEqual((await list({})).sort(), ['orders-fail', 'other'])
    assert.deepEqual(await list({ state: 'resolved' }), ['other'])
    assert.deepEqual(await list({ severity: 'warning' }), ['orders-fail'])
    assert.deepEqual(await list({ policy: 'other' }), ['other'])
    assert.deepEqual(await list({ adapter: 'news' }), [])
    assert.deepEqual((await list({ adapter: watched.adapterId })).length, 2)
    assert.deepEqual(await list({ acknowledged: true }), ['orders-fail'])
    assert.deepEqual(await list({ acknowledged: false }), ['other'])
    assert.deepEqual(
      await list({ since: new Date(Date.now() + 3_600_000) }),
      ['orders-fail'],
      'still open then',
    )
    assert.deepEqual(await list({ until: new Date(Date.now() - 3_600_000) }), [])
  })

  await it('goes on page by page', async (watched) => {
    for (const name of ['a', 'b', 'c']) await watched.policy({ name })
    await watched.fail(11)
    await watched.evaluate()
    const first = await alertPage(watched, {}, { limit: 2 })
    const second = await alertPage(watched, {}, { limit: 2, after: first.next ?? assert.fail() })
    assert.deepEqual(
      [...first.alerts, ...second.alerts].map(({ policy }) => policy),
      ['c', 'b', 'a'],
    )
    assert.equal(second.next, null)
  })
})

test('an acknowledgement', async (t) => {
  const it = await testsOnWatchedAdapter(t)
  await it('keeps who looks after an alert, and the note', async (watched) => {
    await watched.policy()
    await watched.fail(11)
    await watched.evaluate()
    const [{ id } = assert.fail()] = (await alertPage(watched, {}, { limit: 1 })).alerts
    await acknowledge(watched, id, 'ada', 'restarting the broker')
    const { acknowledgedBy, acknowledgedNote, acknowledgedAt, state } = await alertById(watched, id)
    assert.deepEqual([acknowledgedBy, acknowledgedNote, state], ['ada', 'restarting the broker', 'firing'])
    assert.ok(acknowledgedAt)
  })

  await it('is refused while the alert pends', async (watched) => {
    await watched.policy({ forSeconds: 60 })
    await watched.fail(11)
    await watched.evaluate()
    const [{ id } = assert.fail()] = (await alertPage(watched, {}, { limit: 1 })).alerts
    await assert.rejects(acknowledge(watched, id, 'ada', ''), {
      code: 'INPUT_INVALID',
      message: /is pending/,
    })
  })

  await it('of an alert there is not is refused', async (watched) => {
    await assert.rejects(acknowledge(watched, 'x', 'ada', ''), { code: 'NOT_FOUND' })
  })
})
