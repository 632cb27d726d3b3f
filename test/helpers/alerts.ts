import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { type EvaluateOptions, evaluate } from '../../src/alerts/evaluate.js'
import type { Notice, Notifiers } from '../../src/alerts/notice.js'
import { createPolicy } from '../../src/alerts/policies.js'
import { type AlertPolicy, POLICY_DEFAULTS, type PolicySettings } from '../../src/alerts/policy.js'
import { RelayError } from '../../src/core/errors.js'
import { silentLog } from '../../src/core/log.js'
import type { Database } from '../../src/db/database.js'
import { countCalls } from './counted-calls.js'
import { migratedDatabase, type TestDatabase } from './migrated-database.js'

export const KEPT = { slaMinuteRetentionDays: 3, slaHourRetentionDays: 92 }

/** A database with one adapter. */
export interface Watched extends TestDatabase {
  adapterId: string
  adapterName: string
  /** A policy on its errors in five minutes, above 10, that tells the notifier `people`. */
  policy(given?: Partial<PolicySettings>): Promise<AlertPolicy>
  /** So many calls fail now. */
  fail(errors: number): Promise<void>
  /** All calls so far are forgotten. */
  recover(): Promise<void>
  /** An evaluation, however short ago the last was. */
  evaluate(options?: Partial<EvaluateOptions> & { by?: Database }): Promise<void>
  /** So much time passes for what pends. */
  pass(seconds: number): Promise<void>
  /** State of each alert, in the order of their beginning, and what became of each notice. */
  seen(): Promise<{ alerts: string[]; notices: string[] }>
}

/**
 * Tests on one database, which is cleared before each: to migrate one takes longer than what they look at.
 * @returns adds a test; to be awaited
 */
export async function testsOnWatchedAdapter(
  t: TestContext,
): Promise<(name: string, body: (watched: Watched, t: TestContext) => Promise<void>) => Promise<void>> {
  const watched = await watchedAdapter(t)
  return (name, body) =>
    t.test(name, async (t) => {
      await watched.query('TRUNCATE alert_policy, alert, alert_notice, alert_silence, sla_counter')
      await watched.query(`UPDATE adapter SET enabled = true`)
      await watched.query(`UPDATE alert_evaluation SET evaluated_at = 'epoch'`)
      await body(watched, t)
    })
}

export async function watchedAdapter(t: TestContext): Promise<Watched> {
  const database = await migratedDatabase(t)
  const adapterId = randomUUID()
  const adapterName = 'orders'
  await database.query(
    `INSERT INTO adapter (id, name, kind, address, created_at) VALUES ($1, $2, 'kafka', 'x:1', now() - interval '1 day')`,
    [adapterId, adapterName],
  )
  return {
    ...database,
    adapterId,
    adapterName,
    policy: (given = {}) =>
      createPolicy(database, {
        ...POLICY_DEFAULTS,
        ...{ name: 'orders-fail', metric: 'errors', operator: 'above', threshold: 10, notifiers: ['people'] },
        ...given,
      }),
    fail: (errors) =>
      countCalls(database, new Date(), { adapter: adapterId, worker: randomUUID(), calls: errors, errors }),
    async recover() {
      await database.query('DELETE FROM sla_counter')
    },
    async evaluate({ by = database, ...options } = {}) {
      await database.query(
        `UPDATE alert_evaluation SET evaluated_at = least(evaluated_at, now() - interval '4 s')`,
      )
      await database.query(
        `UPDATE alert_evaluation SET evaluated_at = now() - interval '4 s' WHERE evaluated_at = 'epoch'`,
      )
      await evaluate(by, { kept: KEPT, heartbeatsCount: true, log: silentLog, ...options })
    },
    async pass(seconds) {
      await database.query(`UPDATE alert SET since = since - $1::int * interval '1 s'`, [seconds])
    },
    async seen() {
      const alerts = await database.query<{ state: string }>('SELECT state FROM alert ORDER BY id')
      const notices = await database.query<{ kind: string; status: string }>(
        'SELECT kind, status FROM alert_notice ORDER BY id',
      )
      return {
        alerts: alerts.map(({ state }) => state),
        notices: notices.map(({ kind, status }) => `${kind} ${status}`),
      }
    },
  }
}

export interface RecordedNotifiers extends Notifiers {
  /** What was delivered, in order. */
  delivered: { notifier: string; notice: Notice }[]
  attempts: number
}

/** Notifiers in memory; those given behave as told, all others take every notice at once. */
export function recordedNotifiers(
  behaviour: Record<string, (notice: Notice) => Promise<void>> = {},
): RecordedNotifiers {
  const recorded: RecordedNotifiers = {
    delivered: [],
    attempts: 0,
    names: async () => ['people', ...Object.keys(behaviour)].sort(),
    async send(notifier, notice) {
      recorded.attempts += 1
      await behaviour[notifier]?.(notice)
      recorded.delivered.push({ notifier, notice })
    },
  }
  return recorded
}

export async function broken(): Promise<void> {
  throw new RelayError('BROKER_UNREACHABLE', 'nobody is there')
}
