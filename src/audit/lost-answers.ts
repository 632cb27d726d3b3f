import type { Database } from '../db/database.js'
import type { CallRecord } from './call-record.js'
import { byJobKey, FROM_LEDGER, fromAudit, type LedgerRow } from './ledger-rows.js'

/**
 * After an answer that never came the statement may still have been carried out: those of its records that the ledger
 * or the audit log knows. A record of no job is never among them.
 */
export async function recordedAlready(
  database: Pick<Database, 'query'>,
  engineName: string,
  records: readonly CallRecord[],
): Promise<Set<CallRecord>> {
  const keys = records.flatMap(({ ledger }) => (ledger ? [ledger.jobKey] : []))
  if (keys.length === 0) return new Set()
  const rows = await database.query<LedgerRow>(`${FROM_LEDGER} UNION ALL ${fromAudit('sys_audit_log')}`, [
    engineName,
    keys,
  ])
  const known = byJobKey(rows)
  return new Set(
    records.filter(({ ledger }) =>
      (known.get(ledger?.jobKey ?? '') ?? []).some(
        // A failure leaves an earlier receipt in place; a receipt, though, must be this one.
        ({ attempts, receipt }) =>
          attempts === ledger?.attempts && (ledger.receipt === null || ledger.receipt === receipt),
      ),
    ),
  )
}
