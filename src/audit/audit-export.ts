import type { Database } from '../db/database.js'
import { AUDIT_COLUMNS, type AuditEntry } from './audit-entry.js'
import type { AuditFilter } from './audit-filter.js'
import { auditPages } from './audit-queries.js'

export type ExportFormat = 'ndjson' | 'csv'

/** Rows in memory at a time. */
const PAGE_ROWS = 1000

/**
 * All rows that pass the filter, the newest first, as text: one JSON object a line, or CSV (RFC 4180) with a header. Read
 * as fast as the text is taken.
 * @throws RelayError INPUT_INVALID
 */
export async function* exportedAudit(
  database: Pick<Database, 'query'>,
  filter: AuditFilter,
  format: ExportFormat,
): AsyncGenerator<string> {
  const lineOf = format === 'csv' ? csvLine : (entry: AuditEntry) => `${JSON.stringify(entry)}\n`
  if (format === 'csv') yield `${AUDIT_COLUMNS.join(',')}\r\n`
  for await (const entries of auditPages(database, filter, PAGE_ROWS)) yield entries.map(lineOf).join('')
}

function csvLine(entry: AuditEntry): string {
  return `${AUDIT_COLUMNS.map((column) => csvField(entry[column])).join(',')}\r\n`
}

/** What a spreadsheet would take for a formula gets an apostrophe before it: texts come from outside. */
function csvField(value: string | number | null): string {
  if (value === null) return ''
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
