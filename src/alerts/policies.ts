import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { validate as isUuid, v7 as uuidv7 } from 'uuid'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import { Timestamp } from '../db/row-types.js'
import { unlessNameIsTaken } from '../db/taken-names.js'
import {
  type AlertPolicy,
  checkedPolicy,
  type PolicySettings,
  parseMetric,
  parseOperator,
  parseSeverity,
} from './policy.js'

type Queries = Pick<Database, 'query'>

/** What can be set of a policy; `managed` is false unless given. */
export type PolicyInput = PolicySettings & Partial<Pick<AlertPolicy, 'managed'>>

/** Columns of what can be set, by the name of the setting. */
const SETTINGS = {
  name: 'name',
  description: 'description',
  enabled: 'enabled',
  metric: 'metric',
  operator: 'operator',
  threshold: 'threshold',
  recoveryThreshold: 'recovery_threshold',
  windowMinutes: 'window_minutes',
  forSeconds: 'for_seconds',
  severity: 'severity',
  adapterIds: 'adapter_ids',
  adapterKind: 'adapter_kind',
  operation: 'operation',
  processId: 'process_id',
  inTotal: 'in_total',
  owners: 'owners',
  notifiers: 'notifiers',
  managed: 'managed',
} as const satisfies Record<keyof PolicyInput, string>

const SELECTED = Object.entries({ id: 'id', ...SETTINGS, createdAt: 'created_at', updatedAt: 'updated_at' })
  .map(([name, column]) => `${column} AS "${name}"`)
  .join(', ')

const optionalText = Type.Union([Type.String(), Type.Null()])
const optionalNumber = Type.Union([Type.Number(), Type.Null()])

const PolicyRow = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  enabled: Type.Boolean(),
  metric: Type.String(),
  operator: Type.String(),
  threshold: Type.Number(),
  recoveryThreshold: optionalNumber,
  windowMinutes: optionalNumber,
  forSeconds: Type.Number(),
  severity: Type.String(),
  adapterIds: Type.Array(Type.String()),
  adapterKind: optionalText,
  operation: optionalText,
  processId: optionalText,
  inTotal: Type.Boolean(),
  owners: Type.Array(Type.String()),
  notifiers: Type.Array(Type.String()),
  managed: Type.Boolean(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
})

/** By name. */
export async function alertPolicies(database: Queries): Promise<AlertPolicy[]> {
  return (await database.query(`SELECT ${SELECTED} FROM alert_policy ORDER BY name`)).map(policyOf)
}

/** Those that are evaluated. */
export async function enabledPolicies(database: Queries): Promise<AlertPolicy[]> {
  const rows = await database.query(`SELECT ${SELECTED} FROM alert_policy WHERE enabled ORDER BY name`)
  return rows.map(policyOf)
}

/** @throws RelayError NOT_FOUND */
export async function alertPolicy(database: Queries, idOrName: string): Promise<AlertPolicy> {
  const by = isUuid(idOrName) ? 'id = $1::uuid' : 'name = $1'
  const [row] = await database.query(`SELECT ${SELECTED} FROM alert_policy WHERE ${by}`, [idOrName])
  if (row) return policyOf(row)
  throw new RelayError(
    'NOT_FOUND',
    `there is no alert policy "${idOrName}": \`bpmn-relay alert policy list\` shows them all`,
  )
}

/** @throws RelayError SETTINGS_INVALID, NAME_TAKEN */
export async function createPolicy(database: Queries, settings: PolicyInput): Promise<AlertPolicy> {
  const entries = columnsOf(checkedPolicy(settings))
  const values = [uuidv7(), ...entries.map(([, value]) => value)]
  const columns = ['id', ...entries.map(([column]) => column)]
  const [row] = await unlessNameIsTaken('an alert policy', settings.name, () =>
    database.query(
      `INSERT INTO alert_policy (${columns.join(', ')}) VALUES (${values.map((_, i) => `$${i + 1}`).join(', ')})
       RETURNING ${SELECTED}`,
      values,
    ),
  )
  return policyOf(row)
}

/** @throws RelayError NOT_FOUND, SETTINGS_INVALID, NAME_TAKEN */
export async function updatePolicy(
  database: Queries,
  idOrName: string,
  changes: Partial<PolicyInput>,
): Promise<AlertPolicy> {
  const { id, createdAt: _, updatedAt: __, ...known } = await alertPolicy(database, idOrName)
  const entries = columnsOf(checkedPolicy({ ...known, ...changes }))
  const [row] = await unlessNameIsTaken('an alert policy', changes.name ?? known.name, () =>
    database.query(
      `UPDATE alert_policy SET ${entries.map(([column], i) => `${column} = $${i + 2}`).join(', ')}, updated_at = now()
       WHERE id = $1 RETURNING ${SELECTED}`,
      [id, ...entries.map(([, value]) => value)],
    ),
  )
  if (row) return policyOf(row)
  throw new RelayError('NOT_FOUND', `alert policy "${known.name}" was deleted meanwhile`)
}

/** Its open alerts are resolved by the next evaluation. @throws RelayError NOT_FOUND */
export async function deletePolicy(database: Queries, idOrName: string): Promise<AlertPolicy> {
  const policy = await alertPolicy(database, idOrName)
  await database.query('DELETE FROM alert_policy WHERE id = $1', [policy.id])
  return policy
}

function columnsOf(settings: PolicyInput): [column: string, value: unknown][] {
  return Object.entries(settings).map(([name, value]) => {
    if (!isSetting(name)) throw new RelayError('INTERNAL', `an alert policy has no setting ${name}`)
    return [SETTINGS[name], value]
  })
}

function isSetting(name: string): name is keyof typeof SETTINGS {
  return Object.hasOwn(SETTINGS, name)
}

function policyOf(row: unknown): AlertPolicy {
  const { metric, operator, severity, ...same } = Value.Parse(PolicyRow, row)
  return {
    ...same,
    metric: parseMetric(metric),
    operator: parseOperator(operator),
    severity: parseSeverity(severity),
  }
}
