import { RelayError } from '../core/errors.js'
import type { AuditDay } from '../db/partitions.js'
import type { AuditEntry } from './audit-entry.js'
import type { AuditFilter, Conditions } from './audit-filter.js'

/** The time range of a query, with the page before cut off. */
export interface Range {
  since: Date | undefined
  /** Rows are not newer than this. */
  newest: Date | undefined
  bounds: string[]
  /** Of the parameters of conditions and bounds. */
  values: unknown[]
}

/** @throws RelayError INPUT_INVALID */
export function rangeOf({ since, until }: AuditFilter, conditions: Conditions, after?: string): Range {
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

/** Where the page after this entry begins. */
export function placeOf({ at, id }: AuditEntry): string {
  return `${at}_${id}`
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

/** Rows bear the time of the database, which may be ahead. */
const CLOCKS_APART_MS = 3_600_000

/** The days with rows of the range, the newest first, without those still to come. */
export function daysWithin(days: readonly AuditDay[], { since, newest }: Range): AuditDay[] {
  const soon = Date.now() + CLOCKS_APART_MS
  return days
    .filter(({ from, to }) => {
      const isTooOld = since !== undefined && to <= since
      return !isTooOld && from.getTime() <= Math.min(soon, newest?.getTime() ?? soon)
    })
    .reverse()
}

/** The conditions that rows are from the first of these moments on and before the second. */
export function between(from: Date, to: Date): string[] {
  return [`entry.at >= '${from.toISOString()}'`, `entry.at < '${to.toISOString()}'`]
}
