import type { AuditRow, CallRecord, LedgerRecord } from '../../src/audit/call-record.js'

let lastKey = 2_251_799_813_685_248n

export interface RecordChanges {
  audit?: Partial<AuditRow> | null
  ledger?: Partial<LedgerRecord> | null
  sample?: Partial<NonNullable<CallRecord['sample']>> | null
  deadline?: number
}

/** What a published call leaves behind, with a job key of its own. */
export function recordWith(changes: RecordChanges = {}): CallRecord {
  lastKey += 1n
  const { jobKey = String(lastKey), attempts = 1, receipt = '{"offset":1}' } = changes.ledger ?? {}
  const audit: AuditRow = {
    requestId: `request-${jobKey}`,
    source: 'job',
    operation: 'publish',
    adapterId: null,
    adapterName: 'orders',
    adapterKind: 'kafka',
    destination: 'order-events',
    receipt,
    status: 'published',
    errorCode: null,
    errorText: null,
    durationMs: 1.5,
    attempt: attempts,
    processInstanceKey: '2251799813685200',
    processId: 'order',
    processVersion: 1,
    elementId: 'publish-order',
    jobKey,
    request: '{"topic":"order-events"}',
    response: receipt,
  }
  const ledger: LedgerRecord = {
    jobKey,
    processInstanceKey: '2251799813685200',
    elementInstanceKey: '2251799813685300',
    fingerprint: 'f1',
    attempts,
    receipt,
  }
  const sample = {
    adapterId: null,
    operation: 'publish',
    processId: 'order',
    result: 'ok' as const,
    durationMs: 1.5,
  }
  return {
    audit: changes.audit === null ? null : { ...audit, ...changes.audit },
    ledger: changes.ledger === null ? null : { ...ledger, ...changes.ledger },
    sample: changes.sample === null ? null : { ...sample, ...changes.sample },
    deadline: changes.deadline ?? performance.now() + 30_000,
  }
}
