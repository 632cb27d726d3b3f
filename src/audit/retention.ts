import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { type Repeating, repeating } from '../core/repeating.js'
import { type Database, sqlState } from '../db/database.js'
import { type AuditDay, auditDays, leavingDays } from '../db/partitions.js'
import { type Session, withSession } from '../db/session.js'
import { archiveDay } from './archive.js'

const EVERY_MS = 10 * 60_000
const RETENTION_LOCK = 4_771_902_005
/** A day whose turn it is may wait for the next run; whoever writes must not. */
const LOCK_TIMEOUT_MS = 2000
const DAY_MS = 86_400_000

export interface RetentionOptions {
  database: Pick<Database, 'url'>
  auditRetentionDays: number
  /** Where days are kept as compressed NDJSON before they are dropped; undefined: nowhere. */
  auditArchiveFolder: string | undefined
  log: Log
}

/** Lets old days of the audit log go, by one worker at a time. */
export function startAuditRetention(options: RetentionOptions): Repeating {
  return repeating(
    EVERY_MS,
    async () => {
      await retireAuditDays(options)
    },
    (error) => options.log.warn('old days of the audit log could not go', { reason: messageOf(error) }),
  )
}

/**
 * Detaches the days that are older than the retention, archives and drops them. Nobody who reads or writes other days
 * waits for it; what a crash or a long transaction leaves half done is taken up by the next run.
 * @returns names of the partitions that are gone
 */
export async function retireAuditDays(options: RetentionOptions): Promise<string[]> {
  const { database, auditRetentionDays, auditArchiveFolder, log } = options
  const oldest = Math.floor(Date.now() / DAY_MS - auditRetentionDays) * DAY_MS
  const isOld = ({ to }: AuditDay) => to.getTime() <= oldest

  return await withSession(database.url, LOCK_TIMEOUT_MS, async (session) => {
    const [lock] = await session.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [
      RETENTION_LOCK,
    ])
    if (!lock?.mine) return []
    await detach(session, (await auditDays(session)).filter(isOld), log)
    const gone: string[] = []
    for (const day of (await leavingDays(session)).filter(isOld)) {
      if (!day.isDetached) continue
      const archive = auditArchiveFolder && (await archiveDay(session, day, auditArchiveFolder))
      await session.query(`DROP TABLE ${day.name}`)
      log.info('a day of the audit log is past its retention', { partition: day.name, archive })
      gone.push(day.name)
    }
    return gone
  })
}

/** A transaction that has been open for long makes this stop half-way: the day is hidden already, and goes next time. */
async function detach(session: Session, days: readonly AuditDay[], log: Log): Promise<void> {
  const halfDetached = (await leavingDays(session)).filter(({ isDetached }) => !isDetached)
  const statements = [
    ...halfDetached.map(({ name }) => `ALTER TABLE sys_audit_log DETACH PARTITION ${name} FINALIZE`),
    ...days.map(({ name }) => `ALTER TABLE sys_audit_log DETACH PARTITION ${name} CONCURRENTLY`),
  ]
  for (const statement of statements) {
    try {
      await session.query(statement)
    } catch (error) {
      // Only one partition at a time may be half detached.
      if (sqlState(error) !== '55P03') throw error
      log.warn('an old day of the audit log waits for a transaction that is open for long', { statement })
      return
    }
  }
}
