import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { validate as isUuid } from 'uuid'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import { Timestamp } from '../db/row-types.js'
import type { Severity } from './notice.js'

type Queries = Pick<Database, 'query'>

export const ALERT_STATES = ['pending', 'firing', 'resolved'] as const
export type AlertState = (typeof ALERT_STATES)[number]

const FORGET_ROWS = 1000
const optional = {
  text: Type.Union([Type.String(), Type.Null()]),
  time: Type.Union([Timestamp, Type.Null()]),
}

const AlertRow = Type.Object({
  id: Type.String(),
  policyId: optional.text,
  policy: Type.String(),
  metric: Type.String(),
  severity: Type.String(),
  subject: Type.String(),
  adapterId: optional.text,
  adapter: optional.text,
  state: Type.Union(ALERT_STATES.map((state) => Type.Literal(state))),
  since: Timestamp,
  firedAt: optional.time,
  value: Type.Union([Type.Number(), Type.Null()]),
  text: optional.text,
  silenced: Type.Boolean(),
  resolvedAt: optional.time,
  resolvedBecause: optional.text,
  acknowledgedAt: optional.time,
  acknowledgedBy: optional.text,
  acknowledgedNote: optional.text,
})

/** One period in which the condition of a policy held for one subject. */
export type Alert = Static<typeof AlertRow>

const COLUMNS = `id, policy_id AS "policyId", policy_name AS policy, metric, severity, subject,
  adapter_id AS "adapterId", adapter_name AS adapter, state, since, fired_at AS "firedAt", value, text, silenced,
  resolved_at AS "resolvedAt", resolved_because AS "resolvedBecause", acknowledged_at AS "acknowledgedAt",
  acknowledged_by AS "acknowledgedBy", acknowledged_note AS "acknowledgedNote"`

const NoticeRow = Type.Object({
  kind: Type.String(),
  notifier: Type.String(),
  status: Type.String(),
  attempts: Type.Number(),
  endedAt: optional.time,
  error: optional.text,
})

/** What became of telling one notifier: `waiting`, `delivered`, `failed` (given up) or `silenced`. */
export type AlertNotice = Static<typeof NoticeRow>

/** What an alert must have; it must pass all that is given. */
export interface AlertFilter {
  state?: AlertState | undefined
  severity?: Severity | undefined
  /** Id or name; a name also finds the alerts of a deleted policy. */
  policy?: string | undefined
  /** Id or name, likewise. */
  adapter?: string | undefined
  acknowledged?: boolean | undefined
  /** Not over before this moment. */
  since?: Date | undefined
  /** Begun before this moment. */
  until?: Date | undefined
}

export interface AlertPage {
  /** The latest first. */
  alerts: Alert[]
  /** Where the next page begins, for `after`; null when this is the last. */
  next: string | null
}

/** @throws RelayError INPUT_INVALID for a place that no page begins at */
export async function alertPage(
  database: Queries,
  filter: AlertFilter,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<AlertPage> {
  if (after !== undefined && !isUuid(after)) {
    throw new RelayError(
      'INPUT_INVALID',
      `no page begins at "${after}": give what the page before told at its end`,
    )
  }
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions: string[] = []
  const { state, severity, policy, adapter, acknowledged, since, until } = filter
  if (state !== undefined) conditions.push(`state = ${parameter(state)}`)
  if (severity !== undefined) conditions.push(`severity = ${parameter(severity)}`)
  if (policy !== undefined)
    conditions.push(`${isUuid(policy) ? 'policy_id' : 'policy_name'} = ${parameter(policy)}`)
  if (adapter !== undefined)
    conditions.push(`${isUuid(adapter) ? 'adapter_id' : 'adapter_name'} = ${parameter(adapter)}`)
  if (acknowledged !== undefined) conditions.push(`acknowledged_at IS ${acknowledged ? 'NOT ' : ''}NULL`)
  if (since)
    conditions.push(`coalesce(resolved_at, 'infinity') >= ${parameter(since.toISOString())}::timestamptz`)
  if (until) conditions.push(`since < ${parameter(until.toISOString())}::timestamptz`)
  if (after !== undefined) conditions.push(`id < ${parameter(after)}`)
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  // One more than asked for tells whether there is a next page. Ids are in the order of their making.
  const rows = await database.query(
    `SELECT ${COLUMNS} FROM alert ${where} ORDER BY id DESC LIMIT ${parameter(limit + 1)}`,
    values,
  )
  const alerts = rows.slice(0, limit).map((row) => Value.Parse(AlertRow, row))
  return { alerts, next: rows.length > limit ? (alerts.at(-1)?.id ?? null) : null }
}

/** @throws RelayError NOT_FOUND */
export async function alertById(database: Queries, id: string): Promise<Alert & { notices: AlertNotice[] }> {
  const [row] = isUuid(id) ? await database.query(`SELECT ${COLUMNS} FROM alert WHERE id = $1`, [id]) : []
  if (!row) throw unknown(id)
  const notices = await database.query(
    `SELECT kind, notifier, status, attempts, ended_at AS "endedAt", error FROM alert_notice
     WHERE alert_id = $1 ORDER BY id`,
    [id],
  )
  return { ...Value.Parse(AlertRow, row), notices: notices.map((notice) => Value.Parse(NoticeRow, notice)) }
}

/**
 * Notes that somebody looks after an alert; said again, the later note counts.
 * @throws RelayError NOT_FOUND; INPUT_INVALID while nobody was told of it
 */
export async function acknowledge(database: Queries, id: string, by: string, note: string): Promise<Alert> {
  const [row] = isUuid(id)
    ? await database.query(
        `UPDATE alert SET acknowledged_at = now(), acknowledged_by = $2, acknowledged_note = $3
         WHERE id = $1 AND state <> 'pending' RETURNING ${COLUMNS}`,
        [id, by, note],
      )
    : []
  if (row) return Value.Parse(AlertRow, row)
  await alertById(database, id)
  throw new RelayError('INPUT_INVALID', `alert ${id} is pending: it can be acknowledged once it fires`)
}

/** Forgets alerts that were resolved so many days ago, and silences that were over then. */
export async function forgetAlerts(database: Queries, keptDays: number): Promise<void> {
  const old = `now() - $1::int * interval '1 day'`
  let removed: unknown[]
  do {
    removed = await database.query(
      `DELETE FROM alert WHERE id = ANY(ARRAY(
         SELECT id FROM alert WHERE state = 'resolved' AND resolved_at < ${old}
         LIMIT ${FORGET_ROWS} FOR UPDATE SKIP LOCKED))
       RETURNING 1`,
      [keptDays],
    )
  } while (removed.length === FORGET_ROWS)
  await database.query(`DELETE FROM alert_silence WHERE ends_at < ${old}`, [keptDays])
}

function unknown(id: string): RelayError {
  return new RelayError('NOT_FOUND', `there is no alert "${id}": \`bpmn-relay alert list\` shows their ids`)
}
