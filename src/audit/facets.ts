import type { AuditRow } from './call-record.js'

/** The columns that `sys_audit_log_facets` makes numbers of, in the order of its parameters. */
export const FACETS = [
  'adapter_id',
  'adapter_name',
  'adapter_kind',
  'source',
  'operation',
  'status',
  'error_code',
  'destination',
  'process_id',
  'element_id',
  'actor',
] as const

export type Facet = (typeof FACETS)[number]

/** More kinds are not told apart: each further row stands for itself. */
const MAX_KINDS = 16

/** Of rows of one moment, whether each is the first with its facets: the index has that one, and it stands for the others. */
export function firstsOfKind(rows: readonly AuditRow[]): boolean[] {
  const firsts: AuditRow[] = []
  return rows.map((row) => {
    if (firsts.some((first) => isOfKind(row, first))) return false
    if (firsts.length < MAX_KINDS) firsts.push(row)
    return true
  })
}

function isOfKind(row: AuditRow, other: AuditRow): boolean {
  return (
    row.destination === other.destination &&
    row.status === other.status &&
    row.errorCode === other.errorCode &&
    row.processId === other.processId &&
    row.elementId === other.elementId &&
    row.adapterName === other.adapterName &&
    row.adapterId === other.adapterId &&
    row.adapterKind === other.adapterKind &&
    row.operation === other.operation &&
    row.source === other.source
  )
}
