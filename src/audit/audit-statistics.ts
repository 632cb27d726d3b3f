import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Database } from '../db/database.js'
import type { AuditDay } from '../db/partitions.js'
import { where } from './audit-filter.js'

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
const ExplainedParser = Compile(Type.Tuple([Type.Object({ Plan })]))

type Queries = Pick<Database, 'query'>

export interface ExpectedRows {
  total: number
  /** By name of the partition. */
  ofDays: Map<string, number>
}

/**
 * How many rows of the audit log pass these conditions, as the statistics of Postgres have it: no row is read. The
 * conditions should be plain comparisons of columns, of which it knows most.
 */
export async function expectedRows(
  database: Queries,
  conditions: readonly string[],
  values: unknown[],
): Promise<ExpectedRows> {
  // A cursor is planned without parallel workers, of each of which Postgres would tell its share of the rows.
  const [row] = await database.query(
    `EXPLAIN (FORMAT JSON) DECLARE found CURSOR FOR SELECT FROM sys_audit_log AS entry ${where(conditions)}`,
    values,
  )
  const [{ Plan: plan }] = ExplainedParser.Parse(row?.['QUERY PLAN'])
  return { total: plan['Plan Rows'], ofDays: new Map(rowsOfTables(plan)) }
}

function* rowsOfTables(plan: Plan): Generator<[table: string, rows: number]> {
  if (plan['Relation Name'] !== undefined) yield [plan['Relation Name'], plan['Plan Rows']]
  for (const part of plan.Plans ?? []) yield* rowsOfTables(part)
}

/** Of the rows of a day, how many (of any unit) are from before a moment: straight from each point to the next. */
export type Spread = (readonly [moment: number, before: number])[]

/** About so many rows are added before Postgres makes statistics anew. */
const UNKNOWN_SHARE = 0.1

/** What Postgres knows of when the rows of a day are; undefined of a day without rows. */
export async function spreadOf(database: Queries, { name, from, to }: AuditDay): Promise<Spread | undefined> {
  const [found] = await database.query<{ at: Date | null }>(
    'SELECT max(at) AS at FROM sys_audit_log WHERE at >= $1 AND at < $2',
    [from, to],
  )
  if (!found?.at) return undefined
  const newest = found.at.getTime()
  // Prepared: to plan it takes longer than all the rest.
  const [statistics] = await database.query<{ bounds: Date[] | null }>(
    `SELECT histogram_bounds::text::timestamptz[] AS bounds FROM pg_stats
     WHERE schemaname = current_schema() AND tablename = $1 AND attname = 'at'`,
    [name],
    'audit-spread',
  )
  const bounds = statistics?.bounds?.map((bound) => bound.getTime()) ?? [from.getTime(), newest]
  const points = bounds.map((moment, before) => [moment, before] as const)
  // Those newer than the statistics came, it seems, as the last ones before.
  const [lastButOne = 0, last = 0] = bounds.slice(-2)
  const since = Math.min((newest - last) / (last - lastButOne || 1), bounds.length * UNKNOWN_SHARE)
  return [...points, [newest, bounds.length - 1 + since]]
}

/** The moment between two others since when this share of the rows between them is. */
export function momentOf(spread: Spread, from: number, to: number, share: number): number {
  const [first, last] = [valueAt(spread, from), valueAt(spread, to)]
  const moments = spread.map(([moment, before]) => [before, moment] as const)
  return Math.min(to, Math.max(from, valueAt(moments, last - share * (last - first))))
}

function valueAt(points: readonly (readonly [x: number, y: number])[], x: number): number {
  let [before, ...rest] = points
  for (const point of rest) {
    if (before && point[0] > x) {
      const share = Math.max(0, x - before[0]) / (point[0] - before[0])
      return before[1] + share * (point[1] - before[1])
    }
    before = point
  }
  return before?.[1] ?? Number.NaN
}
