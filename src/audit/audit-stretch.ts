import type { Database } from '../db/database.js'
import type { AuditDay } from '../db/partitions.js'
import { between, type Range } from './audit-range.js'
import { momentOf, spreadOf } from './audit-statistics.js'

/** A day of the audit log, or a part of it, in which so many rows are expected; `from` to before `to`, ms. */
export interface Stretch {
  day: AuditDay
  from: number
  to: number
  rows: number
}

/** What the range has of each of the days. */
export function stretchesOf(
  days: readonly AuditDay[],
  { since, newest }: Range,
  expected: ReadonlyMap<string, number>,
): Stretch[] {
  return days.map((day) => {
    const [from, to] = [day.from.getTime(), day.to.getTime()]
    return {
      day,
      from: Math.max(from, since?.getTime() ?? from),
      // A place in the log is known to the microsecond, of which this has the millisecond.
      to: Math.min(to, newest ? newest.getTime() + 1 : to),
      rows: expected.get(day.name) ?? 0,
    }
  })
}

/** A day that should hold more than so many times what is wanted is divided. */
const MOST_EXCESS = 4

/** Those of the stretches, the newest first, that should hold so many rows, and all others. At least a part of the first. */
export async function newestOf(
  database: Pick<Database, 'query'>,
  stretches: readonly Stretch[],
  wanted: number,
): Promise<{ taken: Stretch[]; older: Stretch[] }> {
  const [first, ...others] = stretches
  if (first && first.rows > MOST_EXCESS * wanted) {
    const { day, from, to, rows } = first
    const spread = await spreadOf(database, day)
    const split = spread ? Math.floor(momentOf(spread, from, to, wanted / rows)) : from
    const older = { day, from, to: split, rows: rows - wanted }
    return { taken: [{ day, from: split, to, rows: wanted }], older: [older, ...others] }
  }
  let rows = 0
  const end = stretches.findIndex((stretch) => {
    const missing = wanted - rows
    rows += stretch.rows
    return missing <= 0 || stretch.rows > MOST_EXCESS * missing
  })
  const taken = stretches.slice(0, end === -1 ? stretches.length : end)
  return { taken, older: stretches.slice(taken.length) }
}

export function rowsOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { rows }) => sum + rows, 0)
}

/** Of the time from the first moment of the last of these stretches to the end of the first. */
export function boundsOf(stretches: readonly Stretch[]): string[] {
  const [newest, oldest] = [stretches[0], stretches.at(-1)]
  return newest && oldest ? between(new Date(oldest.from), new Date(newest.to)) : []
}
