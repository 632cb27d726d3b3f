import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Notifiers } from '../../../src/alerts/notice.js'
import { Outbox } from '../../../src/alerts/outbox.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import type { Database } from '../../../src/db/database.js'
import { broken, recordedNotifiers, testsOnWatchedAdapter, type Watched } from '../../helpers/alerts.js'
import { waitFor } from '../../helpers/wait-for.js'

test('the outbox of notices', async (t) => {
  const it = await testsOnWatchedAdapter(t)
  await it('delivers each notice once, though several workers deliver', async (watched) => {
    const deliver = await firedAlert(watched, ['people'])
    const notifiers = recordedNotifiers()
    const workers = [watched, await watched.another(), await watched.another()]
    await Promise.all(workers.map((worker) => deliver(worker, notifiers)))
    await statuses(watched, 'people delivered')
    assert.deepEqual(
      notifiers.delivered.map(({ notice }) => notice.kind),
      ['firing'],
    )
    const [{ notice } = assert.fail()] = notifiers.delivered
    assert.ok(notice.at instanceof Date && notice.since instanceof Date)
  })

  await it('tells of the end after the beginning', async (watched) => {
    const deliver = await firedAlert(watched, ['people'])
    await watched.recover()
    await watched.evaluate()
    const notifiers = recordedNotifiers()
    await deliver(watched, notifiers)
    await waitFor('both notices', () => notifiers.delivered.length === 2)
    assert.deepEqual(
      notifiers.delivered.map(({ notice }) => notice.kind),
      ['firing', 'resolved'],
    )
  })

  await it('lets neither a slow nor a broken notifier delay the others', async (watched) => {
    const deliver = await firedAlert(watched, ['slow', 'broken', 'people'])
    let answer = () => {}
    const slow = new Promise<void>((resolve) => {
      answer = resolve
    })
    const notifiers = recordedNotifiers({ slow: () => slow, broken })
    await deliver(watched, notifiers)
    await statuses(watched, 'broken waiting', 'people delivered', 'slow waiting')
    answer()
    await statuses(watched, 'broken waiting', 'people delivered', 'slow delivered')
  })

  await it('waits as long as the far side asks for', async (watched) => {
    const deliver = await firedAlert(watched, ['people'])
    const busy = () =>
      Promise.reject(new RelayError('NOTIFIER_UNREACHABLE', 'busy', { retryAfterMs: 1_800_000.5 }))
    await deliver(watched, recordedNotifiers({ people: busy }))
    await waitFor('the attempt to be noted', async () => {
      const [row] = await watched.query<{ due: boolean; error: string | null }>(
        `SELECT due_at > now() + interval '20 minutes' AS due, error FROM alert_notice`,
      )
      return row?.due && row.error === 'NOTIFIER_UNREACHABLE: busy'
    })
  })

  await it('tries again later what may yet be delivered', async (watched) => {
    const deliver = await firedAlert(watched, ['people'])
    let works = false
    const notifiers = recordedNotifiers({ people: () => (works ? Promise.resolve() : broken()) })
    const outbox = await deliver(watched, notifiers)
    await waitFor('the first attempt to be noted', async () => {
      const [row] = await watched.query<{ error: string | null }>('SELECT error FROM alert_notice')
      return row?.error === 'BROKER_UNREACHABLE: nobody is there'
    })
    outbox.deliver()
    works = true
    await watched.query('UPDATE alert_notice SET due_at = now()')
    outbox.deliver()
    await statuses(watched, 'people delivered')
    assert.equal(notifiers.attempts, 2)
  })

  await it('gives up what can never be delivered', async (watched) => {
    const deliver = await firedAlert(watched, ['gone'])
    const gone = async () => {
      throw new RelayError('NOT_FOUND', 'there is no notifier "gone"')
    }
    await deliver(watched, recordedNotifiers({ gone }))
    await statuses(watched, 'gone failed')
    await watched.recover()
    await watched.evaluate()
    await statuses(watched, 'gone failed')
  })

  await it('gives up after a dozen attempts', async (watched) => {
    const deliver = await firedAlert(watched, ['people'])
    await watched.query('UPDATE alert_notice SET attempts = 11')
    await deliver(watched, recordedNotifiers({ people: broken }))
    await statuses(watched, 'people failed')
  })

  await it('takes up what a killed worker had begun to deliver', async (watched) => {
    const deliver = await firedAlert(watched, ['people'])
    const forgetful = recordedNotifiers({ people: () => new Promise(() => {}) })
    await deliver(watched, forgetful)
    await waitFor('the attempt', () => forgetful.attempts === 1)
    await watched.query('UPDATE alert_notice SET due_at = now()')
    await deliver(await watched.another(), recordedNotifiers())
    await statuses(watched, 'people delivered')
  })
})

/** Lets an alert fire, whose notices wait; returns a worker that begins to deliver. */
async function firedAlert(watched: Watched, notifiers: string[]) {
  await watched.policy({ notifiers })
  await watched.fail(11)
  await watched.evaluate()
  return async (database: Database, notifiers: Notifiers) => {
    const outbox = new Outbox({ database, notifiers, log: silentLog })
    outbox.deliver()
    return outbox
  }
}

/** Waits until the notifiers' notices are in these states. */
async function statuses(watched: Watched, ...expected: string[]): Promise<void> {
  let seen: string[] = []
  await waitFor(`notices to be ${expected.join(', ')}`, async () => {
    const rows = await watched.query<{ seen: string }>(
      `SELECT notifier || ' ' || status AS seen FROM alert_notice ORDER BY 1`,
    )
    seen = rows.map((row) => row.seen)
    return seen.join() === expected.join()
  }).catch((error: unknown) => {
    throw new Error(`they are ${seen.join(', ')}`, { cause: error })
  })
}
