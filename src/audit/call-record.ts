import type { CounterSample } from '../sla/counters.js'
import type { Operation } from './operations.js'

/**
 * `skipped`: dropped by the adapter's own module, or passed over by a trigger. `done`: what is no publish, of an operator or a
 * trigger.
 */
export type AuditStatus = 'published' | 'skipped' | 'done' | 'rejected' | 'failed'

/** One row of `sys_audit_log`. Texts must hold no secrets. 64-bit keys are decimal text. */
export interface AuditRow {
  requestId: string
  source: 'job' | 'api' | 'trigger' | 'admin'
  operation: Operation
  adapterId: string | null
  adapterName: string | null
  adapterKind: string | null
  destination: string | null
  receipt: string | null
  status: AuditStatus
  errorCode: string | null
  errorText: string | null
  durationMs: number
  /** Which delivery of the job or message this was, from 1. */
  attempt: number
  processInstanceKey: string | null
  processId: string | null
  processVersion: number | null
  elementId: string | null
  jobKey: string | null
  request: string | null
  response: string | null
}

/** What is remembered of a job's publish: in its audit row, else in a row of `publish_ledger`. */
export interface LedgerRecord {
  jobKey: string
  processInstanceKey: string
  elementInstanceKey: string
  fingerprint: string
  attempts: number
  /** Result of an acknowledged publish, as JSON text. */
  receipt: string | null
}

/** What a job or a message leaves behind, apart from counters; the latter has a ledger of its own. */
export interface Recorded {
  audit: AuditRow | null
  ledger?: LedgerRecord | null
}

/** Whether the audit row tells what the ledger has to know; a second row would double what Postgres has to do. */
export function isRememberedByAudit<R extends Recorded>(
  record: R,
): record is R & { audit: AuditRow; ledger: LedgerRecord } {
  const { audit, ledger } = record
  // A row that Postgres had refused is written without its keys.
  return audit !== null && ledger?.jobKey === audit.jobKey
}

/** Everything one call leaves behind; written whole or not at all. */
export interface CallRecord {
  /** Null when the adapter's audit switch is off. */
  audit: AuditRow | null
  ledger: LedgerRecord | null
  /** Null when the adapter's SLA switch is off. */
  sample: CounterSample | null
  /** `performance.now()` until which writing is tried again while Postgres is away. */
  deadline: number
}
