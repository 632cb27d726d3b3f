import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { validate as isUuid } from 'uuid'
import type { Database } from '../db/database.js'
import type { AuditStatus } from './call-record.js'

export interface AuditFilter {
  /** Id or name; a name also finds the rows of a deleted adapter. */
  adapter?: string | undefined
  status?: AuditStatus | undefined
  requestId?: string | undefined
  /** Decimal text: keys are 64 bit. */
  processInstanceKey?: string | undefined
  /** From this moment on. */
  since?: Date | undefined
  /** Before this moment. */
  until?: Date | undefined
  /** Rows at most. */
  limit: number
}

const text = Type.Union([Type.String(), Type.Null()])

const AuditEntrySchema = Type.Object({
  id: Type.String(),
  /** ISO 8601, UTC, microseconds. */
  at: Type.String(),
  requestId: Type.String(),
  source: Type.String(),
  operation: Type.String(),
  adapterId: text,
  adapterName: text,
  adapterKind: text,
  destination: text,
  /** JSON text, as are `request` and `response`. */
  receipt: text,
  status: Type.String(),
  errorCode: text,
  errorText: text,
  durationMs: Type.Number(),
  attempt: Type.Integer(),
  processInstanceKey: text,
  processId: text,
  processVersion: Type.Union([Type.Integer(), Type.Null()]),
  elementId: text,
  jobKey: text,
  worker: text,
  actor: text,
  request: text,
  response: text,
})

/** One row of `sys_audit_log`; 64-bit keys are decimal text. */
export type AuditEntry = Static<typeof AuditEntrySchema>

/** The newest rows that pass the filter, newest first. */
export async function auditEntries(
  database: Pick<Database, 'query'>,
  filter: AuditFilter,
): Promise<AuditEntry[]> {
  const values: unknown[] = []
  const conditions: string[] = []
  const where = (condition: string, value: unknown) => {
    if (value === undefined) return
    values.push(value)
    conditions.push(condition.replace('?', `$${values.length}`))
  }
  const { adapter } = filter
  where(adapter !== undefined && isUuid(adapter) ? 'adapter_id = ?::uuid' : 'adapter_name = ?', adapter)
  where('status = ?', filter.status)
  where('request_id = ?', filter.requestId)
  where('process_instance_key = ?::bigint', filter.processInstanceKey)
  where('at >= ?::timestamptz', filter.since?.toISOString())
  where('at < ?::timestamptz', filter.until?.toISOString())
  values.push(filter.limit)
  const rows = await database.query(
    `SELECT id::text, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
       request_id AS "requestId", source, operation, adapter_id AS "adapterId", adapter_name AS "adapterName",
       adapter_kind AS "adapterKind", destination, receipt, status, error_code AS "errorCode",
       error_text AS "errorText", duration_ms::double precision AS "durationMs", attempt,
       process_instance_key::text AS "processInstanceKey", process_id AS "processId",
       process_version AS "processVersion", element_id AS "elementId", job_key::text AS "jobKey", worker, actor,
       request, response
     FROM sys_audit_log AS entry
     ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
     ORDER BY entry.at DESC, entry.id DESC LIMIT $${values.length}`,
    values,
  )
  return rows.map((row) => Value.Parse(AuditEntrySchema, row))
}
