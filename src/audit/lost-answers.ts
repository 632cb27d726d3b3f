import type { Database } from '../db/database.js'
import type { CallRecord } from './call-record.js'

/**
 * After an answer that never came the statement may still have been carried out: those of its records that the ledger
 * knows. A record without ledger row is never among them.
 */
export async function recordedAlready(
  database: Pick<Database, 'query'>,
  engineName: string,
  records: readonly CallRecord[],
): Promise<Set<CallRecord>> {
  const keys = records.flatMap(({ ledger }) => (ledger ? [ledger.jobKey] : []))
  if (keys.length === 0) return new Set()
  const rows = await database.query<{ job_key: string; attempts: number; receipt: string | null }>(
    'SELECT job_key, attempts, receipt FROM publish_ledger WHERE engine = $1 AND job_key = ANY($2::bigint[])',
    [engineName, keys],
  )
  const known = new Map(rows.map((row) => [row.job_key, row]))
  return new Set(
    records.filter(({ ledger }) => {
      const row = ledger && known.get(ledger.jobKey)
      // A failure leaves an earlier receipt in place; a receipt, though, must be this one.
      return (
        row?.attempts === ledger?.attempts &&
        ledger !== null &&
        (ledger.receipt === null || row?.receipt === ledger.receipt)
      )
    }),
  )
}
