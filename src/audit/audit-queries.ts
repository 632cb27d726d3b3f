import { RelayError } from '../core/errors.js'
import { type Database, sqlState } from '../db/database.js'
import type { AuditEntry } from './audit-entry.js'
import { type AuditFilter, conditionsOf, where } from './audit-filter.js'
import { placeOf, rangeOf } from './audit-range.js'
import { newestRows, searchAudit } from './audit-search.js'
import { expectedRows } from './audit-statistics.js'

export interface AuditPage {
  /** Newest first. */
  entries: AuditEntry[]
  /** Where the next page begins, for `after`; null when this is the last. */
  next: string | null
}

export interface PageRequest {
  /** Rows at most. */
  limit: number
  /** `next` of the page before. */
  after?: string | undefined
}

type Queries = Pick<Database, 'query'>

/**
 * One page of the rows that pass the filter, the newest first.
 * @throws RelayError INPUT_INVALID
 */
export async function auditPage(
  database: Queries,
  filter: AuditFilter,
  { limit, after }: PageRequest,
): Promise<AuditPage> {
  const conditions = conditionsOf(filter)
  const range = rangeOf(filter, conditions, after)
  // One more than asked for tells whether there is a next page.
  const found = await inTime(searchAudit(database, conditions, range, limit + 1))
  const entries = found.slice(0, limit)
  const last = entries.at(-1)
  return { entries, next: found.length > limit && last ? placeOf(last) : null }
}

/** Every row that passes the filter, the newest first, in pages. */
export async function* auditPages(
  database: Queries,
  filter: AuditFilter,
  pageRows: number,
): AsyncGenerator<AuditEntry[]> {
  let after: string | undefined
  do {
    const { entries, next } = await auditPage(database, filter, { limit: pageRows, after })
    yield entries
    after = next ?? undefined
  } while (after !== undefined)
}

/**
 * How many rows pass the filter: counted where they are few or share a key, else about as many as the planner of Postgres
 * expects. Undefined with a text, of which the planner knows nothing.
 * @throws RelayError INPUT_INVALID
 */
export async function auditTotal(
  database: Queries,
  filter: AuditFilter,
): Promise<{ rows: number; isExact: boolean } | undefined> {
  const conditions = conditionsOf(filter)
  if (conditions.isByText) return undefined
  const { bounds, values } = rangeOf(filter, conditions)
  const count = async (rows: string, parameters: unknown[]): Promise<number> => {
    const [row] = await database.query(`SELECT count(*) AS rows FROM (${rows}) AS matching`, parameters)
    return Number(row?.rows)
  }
  if (conditions.isByKey) {
    const all = `SELECT FROM sys_audit_log AS entry ${where([...bounds, ...conditions.sql])}`
    return { rows: await inTime(count(all, values)), isExact: true }
  }
  const { total } = await expectedRows(database, [...bounds, ...conditions.sql], values)
  if (total > COUNTED_ROWS) return { rows: total, isExact: false }
  const newest = await inTime(newestRows(database, conditions, { bounds, values }, COUNTED_ROWS + 1))
  const counted = newest ? await inTime(count(newest.rows, newest.values)) : 0
  return { rows: counted, isExact: counted <= COUNTED_ROWS }
}

/** Totals up to this are worth counting. */
const COUNTED_ROWS = 2000

async function inTime<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    // Postgres gave the statement up at its time limit.
    if (!(error instanceof RelayError && sqlState(error.cause) === '57014')) throw error
    throw new RelayError(
      'INPUT_INVALID',
      'the search takes longer than BPMN_RELAY_DATABASE_TIMEOUT_MS: give a shorter time range or a further filter',
      { cause: error },
    )
  }
}
