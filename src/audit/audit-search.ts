import { Compile } from 'typebox/compile'
import type { Database } from '../db/database.js'
import { type AuditDay, auditDays } from '../db/partitions.js'
import { type AuditEntry, AuditEntrySchema, ENTRY_COLUMNS } from './audit-entry.js'
import { type Conditions, where } from './audit-filter.js'
import { between, daysWithin, type Range } from './audit-range.js'
import { expectedRows } from './audit-statistics.js'
import { boundsOf, newestOf, rowsOf, stretchesOf } from './audit-stretch.js'

/** Rows at the head of the range that are read before any index is asked: common values are found among them. */
const HEAD_ROWS = 1000
const HEAD_DAYS = 2
const NEWEST_FIRST = 'ORDER BY entry.at DESC, entry.id DESC'

type Queries = Pick<Database, 'query'>

/**
 * The newest rows that pass the conditions, in order. However common or rare a value is, few rows are read: first the
 * newest as they stand; then, with the indexes, stretches of time each as long as should hold the rows still missing.
 */
export async function searchAudit(
  database: Queries,
  conditions: Conditions,
  range: Range,
  limit: number,
): Promise<AuditEntry[]> {
  if (conditions.isByKey) return await searchAtOnce(database, conditions, range, limit)
  const days = daysWithin(await auditDays(database), range)
  if (conditions.indexed.length === 0 || conditions.isByText) {
    return await searchByDay(database, conditions, range, days, limit)
  }
  const head = await searchHead(database, conditions, range, days, limit)
  return head.length === limit ? head : await searchByStretch(database, conditions, range, days, limit)
}

async function searchHead(
  database: Queries,
  { sql }: Conditions,
  { bounds, values }: Range,
  days: readonly AuditDay[],
  limit: number,
): Promise<AuditEntry[]> {
  const oldest = days.slice(0, HEAD_DAYS).at(-1)
  if (!oldest) return []
  const newest = where([...bounds, `entry.at >= '${oldest.from.toISOString()}'`])
  return await entriesOf(
    database,
    `SELECT * FROM (
       SELECT * FROM sys_audit_log AS entry ${newest} ${NEWEST_FIRST} LIMIT ${Math.max(HEAD_ROWS, 2 * limit)}
     ) AS entry ${where(sql)} ${NEWEST_FIRST} LIMIT ${limit}`,
    values,
  )
}

/** The rows of an index that a statement may read in passing. */
const INDEXED_ROWS = 15_000
/** Statistics know little of rare values: where they promise too much, up to so many times more is looked through next. */
const MOST_GROWTH = 8

/** By values that any number of rows may have. */
async function searchByStretch(
  database: Queries,
  conditions: Conditions,
  range: Range,
  days: readonly AuditDay[],
  limit: number,
): Promise<AuditEntry[]> {
  const { ofDays } = await expectedRows(database, [...range.bounds, ...conditions.sql], range.values)
  let left = stretchesOf(days, range, ofDays)
  const found: AuditEntry[] = []
  let wanted = 2 * limit
  while (left.length > 0 && found.length < limit) {
    const { taken, older } = await newestOf(database, left, wanted)
    const within = { ...range, bounds: [...boundsOf(taken), ...range.bounds] }
    const entries = await searchAtOnce(database, conditions, within, limit - found.length)
    found.push(...entries)
    const promised = (rowsOf(taken) + 1) / (entries.length + 1)
    wanted = Math.min(2 * (limit - found.length) * promised, MOST_GROWTH * wanted, INDEXED_ROWS)
    left = older
  }
  return found
}

/** With no index to ask, each day has its rows in order; a text has them all read, which takes long enough for one statement. */
async function searchByDay(
  database: Queries,
  conditions: Conditions,
  range: Range,
  days: readonly AuditDay[],
  limit: number,
): Promise<AuditEntry[]> {
  const found: AuditEntry[] = []
  let left = days
  let atOnce = 1
  while (left.length > 0 && found.length < limit) {
    const next = left.slice(0, atOnce)
    found.push(...(await searchInOrder(database, conditions, range, next, limit - found.length)))
    left = left.slice(atOnce)
    if (!conditions.isByText) atOnce *= 2
  }
  return found
}

/** Each day as a query of its own, of which none is begun once the page is full. */
async function searchInOrder(
  database: Queries,
  { sql, indexed }: Conditions,
  { bounds, values }: Range,
  days: readonly AuditDay[],
  limit: number,
): Promise<AuditEntry[]> {
  const queries = days.map(({ from, to }) => {
    const within = [...between(from, to), ...bounds]
    const moments =
      indexed.length > 0
        ? [`entry.at IN (SELECT entry.at FROM sys_audit_log AS entry ${where([...within, ...indexed])})`]
        : []
    const rows = where([...within, ...sql, ...moments])
    return `(SELECT * FROM sys_audit_log AS entry ${rows} ${NEWEST_FIRST} LIMIT ${limit})`
  })
  return await entriesOf(
    database,
    `SELECT * FROM (${queries.join(' UNION ALL ')}) AS entry ${NEWEST_FIRST} LIMIT ${limit}`,
    values,
  )
}

/** As one query: to plan one for each day takes longer than to read the few rows there are. */
async function searchAtOnce(
  database: Queries,
  conditions: Conditions,
  range: Range,
  limit: number,
): Promise<AuditEntry[]> {
  const newest = await newestRows(database, conditions, range, limit)
  return newest ? await entriesOf(database, newest.rows, newest.values) : []
}

/**
 * SQL for the newest rows that pass, `*` of them in any order, and its parameters; undefined where there are none. With
 * values that are indexed, the index is asked first: only the days of what it has are planned then.
 */
export async function newestRows(
  database: Queries,
  { sql, indexed }: Conditions,
  { bounds, values }: Pick<Range, 'bounds' | 'values'>,
  limit: number,
): Promise<{ rows: string; values: unknown[] } | undefined> {
  // As no index has it: the planner might think that the newest rows lead faster to the few there are.
  const newest = "ORDER BY entry.at + interval '0' DESC"
  const rowsWithin = (within: readonly string[]) =>
    `SELECT * FROM sys_audit_log AS entry ${where([...within, ...sql])} ${newest}, entry.id DESC LIMIT ${limit}`
  if (indexed.length === 0) return { rows: rowsWithin(bounds), values }

  // Each row of the index passes itself: there are no newer rows than in the moments of as many of them.
  const found = await database.query<{ at: string }>(
    `SELECT entry.at::text AS at FROM sys_audit_log AS entry ${where([...bounds, ...indexed])} ${newest} LIMIT ${limit}`,
    values,
  )
  if (found.length === 0) return undefined
  const moments = [...new Set(found.map(({ at }) => at))]
  const inMoments = `entry.at = ANY($${values.length + 1}::timestamptz[])`
  return { rows: rowsWithin([...bounds, inMoments]), values: [...values, moments] }
}

const EntryParser = Compile(AuditEntrySchema)

/** Of rows in order. Only those of the page are put into words, not all that were sorted for it. */
async function entriesOf(database: Queries, rows: string, values: unknown[]): Promise<AuditEntry[]> {
  const found = await database.query(
    `SELECT ${ENTRY_COLUMNS} FROM (${rows}) AS entry ${NEWEST_FIRST}`,
    values,
  )
  return found.map((row) => EntryParser.Parse(row))
}
