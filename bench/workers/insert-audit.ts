import type pg from 'pg'

/** One audit row by one statement, as most programs write it. */
export async function insertAudit(
  pool: pg.Pool,
  row: {
    requestId: string
    destination: string
    receipt: string
    durationMs: number
    jobKey: string
    request: string
  },
): Promise<void> {
  await pool.query({
    name: 'insert-audit',
    text: `INSERT INTO sys_audit_log
      (request_id, source, operation, adapter_kind, destination, receipt, status, duration_ms, job_key, request)
      VALUES ($1, 'job', 'publish', 'kafka', $2, $3, 'published', $4, $5, $6)`,
    values: [row.requestId, row.destination, row.receipt, row.durationMs, row.jobKey, row.request],
  })
}
