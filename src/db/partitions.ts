import type { Database } from './database.js'
import { sqlState } from './database.js'
import type { Session } from './session.js'

const DAYS_AHEAD = 7
const PARTITION_LOCK = 4_771_902_003
const DAY_MS = 24 * 60 * 60 * 1000

/** A database or a session of it. */
type Queries = Pick<Session, 'query'>

/** A day partition of the audit log, from 00:00 UTC to 00:00 of the next day. */
export interface AuditDay {
  name: string
  from: Date
  to: Date
}

/** The days that the audit log has partitions of, the oldest first. */
export async function auditDays(database: Queries): Promise<AuditDay[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
     WHERE inhparent = 'sys_audit_log'::regclass AND NOT inhdetachpending ORDER BY relname`,
  )
  return rows.flatMap(({ name }) => dayOf(name) ?? [])
}

/** Days on their way out of the audit log, the oldest first: half detached by a detach that was cut off, or wholly. */
export async function leavingDays(database: Queries): Promise<(AuditDay & { isDetached: boolean })[]> {
  const rows = await database.query<{ name: string; detached: boolean }>(
    `SELECT relname AS name, inhrelid IS NULL AS detached
     FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid
     WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'sys_audit_log'::regclass)
       AND relkind = 'r' AND relname ~ '^sys_audit_log_[0-9]{8}$' AND (inhrelid IS NULL OR inhdetachpending)
     ORDER BY relname`,
  )
  return rows.flatMap(({ name, detached }) => {
    const day = dayOf(name)
    return day ? { ...day, isDetached: detached } : []
  })
}

function dayOf(name: string): AuditDay | undefined {
  const [, year, month, day] = /^sys_audit_log_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
  if (year === undefined) return undefined
  const from = Date.parse(`${year}-${month}-${day}T00:00:00Z`)
  return { name, from: new Date(from), to: new Date(from + DAY_MS) }
}

/** Makes the audit log's day partitions from `from` (default: today, UTC) to a week ahead, where missing. */
export async function ensureAuditPartitions(database: Database, from = new Date()): Promise<void> {
  const existing = new Set((await auditDays(database)).map(({ name }) => name))
  const last = Math.max(Date.now(), from.getTime()) + DAYS_AHEAD * DAY_MS
  for (let time = startOfDay(from); time <= last; time += DAY_MS) {
    const name = partitionName(new Date(time))
    if (!existing.has(name)) await createPartition(database, name, new Date(time), new Date(time + DAY_MS))
  }
}

/** Makes the audit log's partitions of the days (UTC) that these moments fall on, where missing. */
export async function ensureAuditDaysOf(database: Database, moments: Iterable<number>): Promise<void> {
  for (const time of new Set(Array.from(moments, (moment) => startOfDay(new Date(moment))))) {
    await createPartition(database, partitionName(new Date(time)), new Date(time), new Date(time + DAY_MS))
  }
}

/** Whether a statement failed because the day it writes to has no partition yet. */
export function isMissingPartition(error: unknown): boolean {
  return (
    sqlState(error) === '23514' &&
    error instanceof Error &&
    error.message.startsWith('no partition of relation')
  )
}

// CREATE TABLE … PARTITION OF would wait for every open writer and queue all others behind it; a table made apart
// and attached does not. Identity columns cannot be copied; the parent's fills them. The lock is against other workers
// at the same day: who comes second waits and finds the partition there.
async function createPartition(database: Database, name: string, from: Date, to: Date): Promise<void> {
  await database.query(
    `DO $$ BEGIN
       PERFORM pg_advisory_xact_lock(${PARTITION_LOCK});
       CREATE TABLE IF NOT EXISTS ${name} (LIKE sys_audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STATISTICS);
       IF NOT (SELECT relispartition FROM pg_class WHERE oid = '${name}'::regclass) THEN
         ALTER TABLE sys_audit_log ATTACH PARTITION ${name}
           FOR VALUES FROM ('${from.toISOString()}') TO ('${to.toISOString()}');
       END IF;
     END $$`,
  )
}

function startOfDay(date: Date): number {
  return Math.floor(date.getTime() / DAY_MS) * DAY_MS
}

function partitionName(day: Date): string {
  return `sys_audit_log_${day.toISOString().slice(0, 10).replaceAll('-', '')}`
}
