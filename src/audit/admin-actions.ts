import type { Database } from '../db/database.js'
import { ensureAuditPartitions, isMissingPartition } from '../db/partitions.js'
import type { Session } from '../db/session.js'
import { storable } from '../db/storable.js'
import type { AuditRow } from './call-record.js'

/** What a person did through an adapter: a row of `sys_audit_log` with source `admin`. */
export interface AdminAction
  extends Pick<
    AuditRow,
    | 'requestId'
    | 'operation'
    | 'adapterId'
    | 'adapterName'
    | 'adapterKind'
    | 'destination'
    | 'receipt'
    | 'status'
    | 'errorCode'
    | 'errorText'
    | 'durationMs'
    | 'request'
  > {
  /** Who did it. */
  actor: string
}

const INSERT = `
INSERT INTO sys_audit_log (
  source, request_id, operation, actor, adapter_id, adapter_name, adapter_kind, destination, receipt, status,
  error_code, error_text, duration_ms, request)
SELECT 'admin', "requestId", operation, actor, "adapterId", "adapterName", "adapterKind", destination, receipt,
  status, "errorCode", "errorText", "durationMs", request
FROM jsonb_to_recordset($1::jsonb) AS action(
  "requestId" text, operation text, actor text, "adapterId" uuid, "adapterName" text, "adapterKind" text,
  destination text, receipt text, status text, "errorCode" text, "errorText" text, "durationMs" real, request text)`

/** Resolves when all are durable: as one statement, all or none. @throws RelayError DATABASE_AWAY */
export async function recordAdminActions(database: Database, actions: readonly AdminAction[]): Promise<void> {
  try {
    await addAdminActions(database, actions)
  } catch (error) {
    if (!isMissingPartition(error)) throw error
    await ensureAuditPartitions(database)
    await addAdminActions(database, actions)
  }
}

/** As part of a transaction, with what was done; today's partition must be there. */
export async function addAdminActions(session: Session, actions: readonly AdminAction[]): Promise<void> {
  if (actions.length === 0) return
  const rows = JSON.stringify(actions, (_, value: unknown) =>
    typeof value === 'string' ? storable(value) : value,
  )
  await session.query(INSERT, [rows])
}
