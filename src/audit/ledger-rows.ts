/** What is known of a job that was published before, from the ledger or from the audit log, which has a row for each call. */
export interface LedgerRow {
  job_key: string
  process_instance_key: string
  /** Null in the audit log. */
  element_instance_key: string | null
  /** Null in the ledger. */
  element_id: string | null
  /** Of the message that the broker acknowledged; null in the audit log where it has not. */
  fingerprint: string | null
  attempts: number
  receipt: string | null
}

/** What the ledger knows of the jobs with the keys `$2` of the engine `$1`. */
export const FROM_LEDGER = `
  SELECT job_key, process_instance_key, element_instance_key, NULL AS element_id, fingerprint, attempts, receipt
  FROM publish_ledger WHERE engine = $1 AND job_key = ANY($2::bigint[])`

/**
 * The same of the audit log.
 * @param table it, or one of its days
 */
export function fromAudit(table: string): string {
  return `
  SELECT job_key, process_instance_key, NULL::bigint AS element_instance_key, element_id, fingerprint, attempt, receipt
  FROM ${table} WHERE engine = $1 AND job_key = ANY($2::bigint[])`
}

/** What is known of each job, by its key. */
export function byJobKey(rows: readonly LedgerRow[]): Map<string, LedgerRow[]> {
  const ofJob = new Map<string, LedgerRow[]>()
  for (const row of rows) {
    const known = ofJob.get(row.job_key)
    if (known) known.push(row)
    else ofJob.set(row.job_key, [row])
  }
  return ofJob
}
