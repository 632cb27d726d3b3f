import { type Static, Type } from 'typebox'

const text = Type.Union([Type.String(), Type.Null()])

export const AuditEntrySchema = Type.Object({
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
  engine: text,
  worker: text,
  actor: text,
  request: text,
  response: text,
})

/** One row of `sys_audit_log`; 64-bit keys are decimal text. */
export type AuditEntry = Static<typeof AuditEntrySchema>

/** Names of all that an entry tells, in order. */
export const AUDIT_COLUMNS = [
  'id',
  'at',
  'requestId',
  'source',
  'operation',
  'adapterId',
  'adapterName',
  'adapterKind',
  'destination',
  'receipt',
  'status',
  'errorCode',
  'errorText',
  'durationMs',
  'attempt',
  'processInstanceKey',
  'processId',
  'processVersion',
  'elementId',
  'jobKey',
  'engine',
  'worker',
  'actor',
  'request',
  'response',
] as const satisfies (keyof AuditEntry)[]

/** The response of `sys_audit_log AS entry`: where the column is empty, the receipt is what came of the call. */
export const RESPONSE = 'coalesce(entry.response, entry.receipt)'

/** The columns of `sys_audit_log AS entry` as an `AuditEntry`. */
export const ENTRY_COLUMNS = `
  entry.id::text AS id, to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
  entry.request_id AS "requestId", entry.source, entry.operation, entry.adapter_id AS "adapterId",
  entry.adapter_name AS "adapterName", entry.adapter_kind AS "adapterKind", entry.destination, entry.receipt,
  entry.status, entry.error_code AS "errorCode", entry.error_text AS "errorText",
  entry.duration_ms::double precision AS "durationMs", entry.attempt,
  entry.process_instance_key::text AS "processInstanceKey", entry.process_id AS "processId",
  entry.process_version AS "processVersion", entry.element_id AS "elementId", entry.job_key::text AS "jobKey",
  entry.engine, entry.worker, entry.actor, entry.request, ${RESPONSE} AS response`
