import type { Database } from '../../src/db/database.js'

/** Columns of `sys_audit_log`; what is left out is that of a published call. */
export type AuditColumns = Record<string, string | number | Date>

const PUBLISHED = {
  source: 'job',
  operation: 'publish',
  status: 'published',
  adapter_kind: 'kafka',
  adapter_name: 'orders',
  duration_ms: 1,
}

/** Writes rows as they are given, each in the moment of its `at`. */
export async function insertAuditRows(database: Database, rows: readonly AuditColumns[]): Promise<void> {
  for (const row of rows) {
    const entries = Object.entries({ ...PUBLISHED, request_id: 'r', ...row })
    await database.query(
      `INSERT INTO sys_audit_log (${entries.map(([name]) => name).join(', ')})
       VALUES (${entries.map((_, at) => `$${at + 1}`).join(', ')})`,
      entries.map(([, value]) => value),
    )
  }
}
