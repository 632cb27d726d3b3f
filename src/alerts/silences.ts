import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { validate as isUuid, v7 as uuidv7 } from 'uuid'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import { Timestamp } from '../db/row-types.js'
import type { Severity } from './notice.js'

type Queries = Pick<Database, 'query'>

const optionalText = Type.Union([Type.String(), Type.Null()])

const SilenceRow = Type.Object({
  id: Type.String(),
  policyId: optionalText,
  policyName: optionalText,
  adapterId: optionalText,
  adapterName: optionalText,
  severity: optionalText,
  startsAt: Timestamp,
  endsAt: Timestamp,
  reason: Type.String(),
  createdBy: Type.String(),
})

/** A time in which the notices of some alerts are not sent. What is null does not matter to it. */
export type Silence = Static<typeof SilenceRow>

export interface NewSilence {
  policyId: string | null
  adapterId: string | null
  severity: Severity | null
  startsAt: Date
  endsAt: Date
  reason: string
  createdBy: string
}

const SELECT = `
SELECT silence.id, policy_id AS "policyId", policy.name AS "policyName", adapter_id AS "adapterId",
  adapter.name AS "adapterName", silence.severity, starts_at AS "startsAt", ends_at AS "endsAt", reason,
  created_by AS "createdBy"
FROM alert_silence AS silence
LEFT JOIN alert_policy AS policy ON policy.id = policy_id
LEFT JOIN adapter ON adapter.id = adapter_id`

/** Those that are not over yet, the earliest end first; with `over`, all. */
export async function alertSilences(database: Queries, { over }: { over: boolean }): Promise<Silence[]> {
  const rows = await database.query(
    `${SELECT} ${over ? '' : 'WHERE ends_at > now()'} ORDER BY ends_at, silence.id`,
  )
  return rows.map((row) => Value.Parse(SilenceRow, row))
}

/** @throws RelayError INPUT_INVALID */
export async function addSilence(database: Queries, silence: NewSilence): Promise<string> {
  const { policyId, adapterId, severity, startsAt, endsAt, reason, createdBy } = silence
  if (endsAt <= startsAt) {
    throw new RelayError(
      'INPUT_INVALID',
      `a silence that ends at ${endsAt.toISOString()} cannot start at ${startsAt.toISOString()}: give a later end`,
    )
  }
  const id = uuidv7()
  await database.query(
    `INSERT INTO alert_silence (id, policy_id, adapter_id, severity, starts_at, ends_at, reason, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, policyId, adapterId, severity, startsAt.toISOString(), endsAt.toISOString(), reason, createdBy],
  )
  return id
}

/** @throws RelayError NOT_FOUND */
export async function removeSilence(database: Queries, id: string): Promise<void> {
  const rows = isUuid(id)
    ? await database.query('DELETE FROM alert_silence WHERE id = $1 RETURNING 1', [id])
    : []
  if (rows.length === 0) {
    throw new RelayError(
      'NOT_FOUND',
      `there is no silence "${id}": \`bpmn-relay alert silence list\` shows them all`,
    )
  }
}

/** Whether a silence covers an alert at that moment. */
export function isSilenced(
  silences: readonly Silence[],
  alert: { policyId: string; adapterId: string | null; severity: Severity },
  at: Date,
): boolean {
  return silences.some(
    ({ policyId, adapterId, severity, startsAt, endsAt }) =>
      startsAt <= at &&
      at < endsAt &&
      (policyId === null || policyId === alert.policyId) &&
      (adapterId === null || adapterId === alert.adapterId) &&
      (severity === null || severity === alert.severity),
  )
}
