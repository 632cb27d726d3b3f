import { validate as isUuid } from 'uuid'
import { RelayError } from '../core/errors.js'
import { RESPONSE } from './audit-entry.js'
import type { AuditRow, AuditStatus } from './call-record.js'
import { FACETS, type Facet } from './facets.js'

/** What a row must have; rows must pass all that is given. */
export interface AuditFilter {
  /** Id or name; a name also finds the rows of a deleted adapter. */
  adapter?: string | undefined
  kind?: string | undefined
  source?: AuditRow['source'] | undefined
  operation?: string | undefined
  status?: AuditStatus | undefined
  errorCode?: string | undefined
  topic?: string | undefined
  requestId?: string | undefined
  /** Decimal text, as is `jobKey`: keys are 64 bit. */
  processInstanceKey?: string | undefined
  processId?: string | undefined
  elementId?: string | undefined
  jobKey?: string | undefined
  actor?: string | undefined
  /** From this moment on. */
  since?: Date | undefined
  /** Before this moment. */
  until?: Date | undefined
  /** Stands somewhere in request or response, in upper or lower case. Only together with `since`. */
  text?: string | undefined
}

/** A filter as SQL over `sys_audit_log AS entry`, apart from its time range. */
export interface Conditions {
  /** A condition each, for `AND`. */
  sql: string[]
  /**
   * Conditions on a row that the index of facets has: it passes the filter, as do others of its moment, which it stands for.
   * Empty where that index is of no use: without such a value, and by a key, which leaves few rows.
   */
  indexed: string[]
  /** Of the parameters, the first of which is `$1`. */
  values: unknown[]
  /** Whether it names a key that few rows have. */
  isByKey: boolean
  /** Whether rows must be read to decide. */
  isByText: boolean
}

/** @throws RelayError INPUT_INVALID */
export function conditionsOf(filter: AuditFilter): Conditions {
  const { adapter, since, text } = filter
  if (text !== undefined && since === undefined) {
    throw new RelayError(
      'INPUT_INVALID',
      'a search for text reads every row of its time range: say from when on, e.g. --since 1d',
    )
  }
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`

  const facets: [Facet, string | undefined][] = [
    [adapter !== undefined && isUuid(adapter) ? 'adapter_id' : 'adapter_name', adapter],
    ['adapter_kind', filter.kind],
    ['source', filter.source],
    ['operation', filter.operation],
    ['status', filter.status],
    ['error_code', filter.errorCode],
    ['destination', filter.topic],
    ['process_id', filter.processId],
    ['element_id', filter.elementId],
    ['actor', filter.actor],
  ]
  const sql: string[] = []
  const hashes: string[] = []
  for (const [column, value] of facets) {
    if (value === undefined) continue
    const given = parameter(column === 'adapter_id' ? value.toLowerCase() : value)
    sql.push(`entry.${column} = ${given}${column === 'adapter_id' ? '::text::uuid' : ''}`)
    hashes.push(`hashtext('${column}:' || ${given})`)
  }

  const ofFacets = [...sql]

  const keys: [column: string, value: string | undefined, type: string][] = [
    ['request_id', filter.requestId, 'text'],
    ['process_instance_key', filter.processInstanceKey, 'bigint'],
    ['job_key', filter.jobKey, 'bigint'],
  ]
  const given = keys.filter(([, value]) => value !== undefined)
  for (const [column, value, type] of given) sql.push(`entry.${column} = ${parameter(value)}::${type}`)

  if (text !== undefined) {
    const pattern = parameter(`%${text.replaceAll(/[\\%_]/g, '\\$&')}%`)
    sql.push(`(entry.request ILIKE ${pattern} OR ${RESPONSE} ILIKE ${pattern})`)
  }
  const isByFacet = hashes.length > 0
  const isByKey = given.length > 0
  const facetsHold = `sys_audit_log_facets(${FACETS.map((column) => `entry.${column}`).join(', ')}) @> ARRAY[${hashes.join(', ')}]`
  return {
    sql,
    // Two values may share a number.
    indexed: isByFacet && !isByKey ? ['entry.is_indexed', facetsHold, ...ofFacets] : [],
    values,
    isByKey,
    isByText: text !== undefined,
  }
}

export function where(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
}
