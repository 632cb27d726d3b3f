import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { RelayError } from '../core/errors.js'
import { type Database, sqlState } from '../db/database.js'
import { type AuditDay, auditDays } from '../db/partitions.js'
import { type AuditEntry, AuditEntrySchema, ENTRY_COLUMNS } from './audit-entry.js'
import { type AuditFilter, type Conditions, conditionsOf } from './audit-filter.js'

/** Rows at the head of the range that are read before any index is asked: common values are found among them. */
const HEAD_ROWS = 2000
/** As many times more are read where the value is common enough for them to fill the page. */
const HEAD_GROWTH = 8
const HEAD_DAYS = 2
const NEWEST_FIRST = 'ORDER BY entry.at DESC, entry.id DESC'
/** The same as no index has it: the planner might think that the newest rows lead faster to the few there are. */
const UNINDEXED_ORDER = "ORDER BY entry.at + interval '0' DESC, entry.id DESC"

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
 * One page of the rows that pass the filter, the newest first. However common or rare a value is, few rows are read: first
 * the newest as they stand; then day by day, with the index that serves that day best, and more days at a time the
 * longer the page stays short of rows.
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
  const search = conditions.isByKey
    ? searchByKey
    : conditions.isByFacet && !conditions.isByText
      ? searchByFacet
      : searchByDay
  const found = await inTime(search(database, conditions, range, limit + 1))
  const entries = found.slice(0, limit)
  const last = entries.at(-1)
  return { entries, next: found.length > limit && last ? `${last.at}_${last.id}` : null }
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
  const { bounds, values } = rangeOf(filter, conditions, undefined)
  const count = async (limit: string): Promise<number> => {
    const matching = `SELECT FROM sys_audit_log AS entry ${where([...bounds, ...conditions.sql])} ${limit}`
    const [row] = await inTime(
      database.query(`SELECT count(*) AS rows FROM (${matching}) AS matching`, values),
    )
    return Number(row?.rows)
  }
  if (conditions.isByKey) return { rows: await count(''), isExact: true }

  const { 'Plan Rows': expected } = await planOf(database, [...bounds, ...conditions.plain], values)
  if (expected > COUNTED_ROWS) return { rows: expected, isExact: false }
  const counted = await count(`LIMIT ${COUNTED_ROWS + 1}`)
  return { rows: counted, isExact: counted <= COUNTED_ROWS }
}

/** Totals up to this are worth counting. */
const COUNTED_ROWS = 2000

const Plan = Type.Cyclic(
  {
    Plan: Type.Object({
      'Plan Rows': Type.Number(),
      'Relation Name': Type.Optional(Type.String()),
      Plans: Type.Optional(Type.Array(Type.Ref('Plan'))),
    }),
  },
  'Plan',
)
type Plan = Static<typeof Plan>
const Explained = Type.Tuple([Type.Object({ Plan })])

/** What Postgres would do to find rows, and how many it thinks there are. */
async function planOf(database: Queries, conditions: readonly string[], values: unknown[]): Promise<Plan> {
  const statement = `EXPLAIN (FORMAT JSON) SELECT FROM sys_audit_log AS entry ${where(conditions)}`
  const [row] = await database.query(statement, values)
  const [{ Plan: plan }] = Value.Parse(Explained, row?.['QUERY PLAN'])
  return plan
}

/** The time range of a query, with the page before cut off. */
interface Range {
  since: Date | undefined
  /** Rows are not newer than this. */
  newest: Date | undefined
  bounds: string[]
  /** Of the parameters of conditions and bounds. */
  values: unknown[]
}

function rangeOf({ since, until }: AuditFilter, conditions: Conditions, after: string | undefined): Range {
  const values = [...conditions.values]
  const parameter = (value: unknown) => `$${values.push(value)}`
  const bounds: string[] = []
  if (since) bounds.push(`entry.at >= ${parameter(since.toISOString())}::timestamptz`)
  if (until) bounds.push(`entry.at < ${parameter(until.toISOString())}::timestamptz`)
  if (after === undefined) return { since, newest: until, bounds, values }

  const { at, id } = positionOf(after)
  bounds.push(`(entry.at, entry.id) < (${parameter(at)}::timestamptz, ${parameter(id)}::bigint)`)
  return { since, newest: new Date(at), bounds, values }
}

function positionOf(after: string): { at: string; id: string } {
  const [, at, id] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)_(\d{1,19})$/.exec(after) ?? []
  if (at !== undefined && id !== undefined && !Number.isNaN(Date.parse(at)) && BigInt(id) < 2n ** 63n) {
    return { at, id }
  }
  throw new RelayError(
    'INPUT_INVALID',
    `${JSON.stringify(after)} is no place in the audit log: take it from the end of the page before`,
  )
}

async function searchByKey(
  database: Queries,
  conditions: Conditions,
  range: Range,
  limit: number,
): Promise<AuditEntry[]> {
  return await searchByIndex(database, conditions, range, [], limit)
}

/**
 * By values that any number of rows may have: first among the newest rows, then in so many days at once as Postgres
 * expects to hold the page, then in as many as can be read quickly.
 */
async function searchByFacet(
  database: Queries,
  conditions: Conditions,
  range: Range,
  limit: number,
): Promise<AuditEntry[]> {
  const days = daysWithin(await auditDays(database), range)
  const firstRows = Math.max(HEAD_ROWS, 2 * limit)
  for (let rows = firstRows; rows <= HEAD_GROWTH * firstRows; ) {
    const found = await searchHead(database, conditions, range, days, { rows, limit })
    if (found.length === limit) return found
    rows *= (1.5 * limit) / found.length
  }

  const plan = await planOf(database, [...range.bounds, ...conditions.indexed], range.values)
  const expected = new Map(expectedRows(plan))
  let left = days.map((day) => ({ ...day, rows: expected.get(day.name) ?? 0 }))
  const found: AuditEntry[] = []
  let wanted = 2 * limit
  while (left.length > 0 && found.length < limit) {
    const next = daysWithRows(left, wanted)
    const hasMany = next.some(({ rows }) => rows > INDEXED_ROWS)
    const missing = limit - found.length
    found.push(
      ...(hasMany
        ? await searchInOrder(database, conditions.plain, range, next, missing)
        : await searchByIndex(database, conditions, range, next, missing)),
    )
    left = left.slice(next.length)
    wanted = INDEXED_ROWS
  }
  return found
}

/** By name of the partition. */
function* expectedRows(plan: Plan): Generator<[day: string, rows: number]> {
  if (plan['Relation Name'] !== undefined) yield [plan['Relation Name'], plan['Plan Rows']]
  for (const part of plan.Plans ?? []) yield* expectedRows(part)
}

/** So many rows of an index are read in passing; a day with more has enough of them to be met in its order. */
const INDEXED_ROWS = 15_000

/** The first days that hold as many rows; at least one. A day with very many is one by itself. */
function daysWithRows<Day extends { rows: number }>(days: readonly Day[], wanted: number): Day[] {
  let rows = 0
  const last = days.findIndex((day) => {
    rows += day.rows
    return rows >= wanted
  })
  if (last === -1) return [...days]
  const isApart = (days[last]?.rows ?? 0) > INDEXED_ROWS
  return days.slice(0, Math.max(1, isApart ? last : last + 1))
}

/** With no index to ask, each day has its rows in order; a text has them all read, which takes long enough for one statement. */
async function searchByDay(
  database: Queries,
  conditions: Conditions,
  range: Range,
  limit: number,
): Promise<AuditEntry[]> {
  const found: AuditEntry[] = []
  let left = daysWithin(await auditDays(database), range)
  let atOnce = 1
  while (left.length > 0 && found.length < limit) {
    const next = left.slice(0, atOnce)
    found.push(...(await searchInOrder(database, conditions.sql, range, next, limit - found.length)))
    left = left.slice(atOnce)
    if (!conditions.isByText) atOnce *= 2
  }
  return found
}

/** The newest first, without those still to come. */
function daysWithin(days: readonly AuditDay[], { since, newest }: Range): AuditDay[] {
  const soon = Date.now() + CLOCKS_APART_MS
  return days
    .filter(({ from, to }) => {
      const isTooOld = since !== undefined && to <= since
      return !isTooOld && from.getTime() <= Math.min(soon, newest?.getTime() ?? soon)
    })
    .reverse()
}

/** Rows bear the time of the database, which may be ahead. */
const CLOCKS_APART_MS = 3_600_000

async function searchHead(
  database: Queries,
  { plain }: Conditions,
  { bounds, values }: Range,
  days: readonly AuditDay[],
  { rows, limit }: { rows: number; limit: number },
): Promise<AuditEntry[]> {
  const oldest = days.slice(0, HEAD_DAYS).at(-1)
  if (!oldest) return []
  return await entriesOf(
    database,
    `SELECT ${ENTRY_COLUMNS} FROM (
       SELECT * FROM sys_audit_log AS entry ${where([...bounds, `entry.at >= '${oldest.from.toISOString()}'`])}
       ${NEWEST_FIRST} LIMIT ${Math.ceil(rows)}) AS entry
     ${where(plain)} ${NEWEST_FIRST} LIMIT ${limit}`,
    values,
  )
}

/** Each day as a query of its own, of which none is begun once the page is full. */
async function searchInOrder(
  database: Queries,
  conditions: readonly string[],
  { bounds, values }: Range,
  days: readonly AuditDay[],
  limit: number,
): Promise<AuditEntry[]> {
  const queries = days.map((day) => {
    const rows = where([...within([day]), ...bounds, ...conditions])
    return `(SELECT * FROM sys_audit_log AS entry ${rows} ${NEWEST_FIRST} LIMIT ${limit})`
  })
  return await entriesOf(
    database,
    `SELECT ${ENTRY_COLUMNS} FROM (${queries.join(' UNION ALL ')}) AS entry ${NEWEST_FIRST} LIMIT ${limit}`,
    values,
  )
}

/** As one query: to plan one for each day takes longer than to read the few rows there are. */
async function searchByIndex(
  database: Queries,
  { sql }: Conditions,
  { bounds, values }: Range,
  days: readonly AuditDay[],
  limit: number,
): Promise<AuditEntry[]> {
  return await entriesOf(
    database,
    `SELECT ${ENTRY_COLUMNS} FROM sys_audit_log AS entry ${where([...within(days), ...bounds, ...sql])}
     ${UNINDEXED_ORDER} LIMIT ${limit}`,
    values,
  )
}

/** From the first moment of the last of these days to the end of the first. */
function within(days: readonly AuditDay[]): string[] {
  const [newest, oldest] = [days[0], days.at(-1)]
  return newest && oldest
    ? [`entry.at >= '${oldest.from.toISOString()}'`, `entry.at < '${newest.to.toISOString()}'`]
    : []
}

const EntryParser = Compile(AuditEntrySchema)

async function entriesOf(database: Queries, statement: string, values: unknown[]): Promise<AuditEntry[]> {
  const rows = await database.query(statement, values)
  return rows.map((row) => EntryParser.Parse(row))
}

function where(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
}

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
