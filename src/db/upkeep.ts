import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { type Repeating, repeating } from '../core/repeating.js'
import type { Database } from './database.js'
import { ensureAuditPartitions } from './partitions.js'

const EVERY_MS = 60_000
const SWEEP_ROWS = 5000
/** Each holds the jobs of one statement, up to some hundreds. */
const SWEEP_MARKS = 50
const UPKEEP_LOCK = 4_771_902_002
const SHORTEST_MEMORY_MS = 600_000

export interface UpkeepOptions {
  database: Database
  jobTimeoutMs: number
  ledgerRetentionDays: number
  triggerLedgerRetentionDays: number
  deadLetterRetentionDays: number
  log: Log
}

/** Makes partitions ahead and forgets what is old, once a minute, by one worker at a time. */
export function startUpkeep({ database, jobTimeoutMs, log, ...retention }: UpkeepOptions): Repeating {
  return repeating(
    EVERY_MS,
    async () => {
      await ensureAuditPartitions(database)
      await sweepLedger(database, { jobTimeoutMs, ledgerRetentionDays: retention.ledgerRetentionDays })
      await sweepTriggers(database, retention)
    },
    (error) => log.warn('upkeep failed', { reason: messageOf(error) }),
  )
}

/**
 * Forgets settled jobs once no redelivery of them can be on its way any more, and unsettled ones after the retention.
 * @returns rows removed
 */
export async function sweepLedger(
  database: Pick<Database, 'query'>,
  options: { jobTimeoutMs: number; ledgerRetentionDays: number },
): Promise<number> {
  const memoryMs = Math.max(SHORTEST_MEMORY_MS, 2 * options.jobTimeoutMs)
  const settled = await sweepSettled(database, memoryMs)
  return settled + (await sweep(database, 'publish_ledger', 'at', options.ledgerRetentionDays))
}

async function sweepSettled(database: Pick<Database, 'query'>, memoryMs: number): Promise<number> {
  let removed = 0
  for (;;) {
    const [swept] = await database.query<{ marks: number; rows: number }>(
      `WITH old AS (
         DELETE FROM settled_mark WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM settled_mark
           WHERE pg_try_advisory_xact_lock($1) AND at < now() - $2::double precision * interval '1 ms'
           LIMIT ${SWEEP_MARKS}))
         RETURNING engine, job_keys, at
       ), forgotten AS (
         DELETE FROM publish_ledger AS ledger
         USING (SELECT engine, unnest(job_keys) AS job_key, at FROM old) AS settled
         WHERE ledger.engine = settled.engine AND ledger.job_key = settled.job_key
           -- Recorded again since, that delivery of it is not settled yet.
           AND ledger.at <= settled.at
         RETURNING 1
       )
       SELECT (SELECT count(*) FROM old)::int AS marks, (SELECT count(*) FROM forgotten)::int AS rows`,
      [UPKEEP_LOCK, memoryMs],
    )
    removed += swept?.rows ?? 0
    if ((swept?.marks ?? 0) < SWEEP_MARKS) return removed
  }
}

/**
 * Forgets messages that triggers handled long ago, and dead letters that are resolved since long.
 * @returns rows removed
 */
export async function sweepTriggers(
  database: Pick<Database, 'query'>,
  options: { triggerLedgerRetentionDays: number; deadLetterRetentionDays: number },
): Promise<number> {
  const handled = await sweep(database, 'trigger_ledger', 'at', options.triggerLedgerRetentionDays)
  // Letters that wait have no such time.
  return handled + (await sweep(database, 'dead_letter', 'resolved_at', options.deadLetterRetentionDays))
}

/** Removes the rows of a table that are older than so many days by their column. */
async function sweep(
  database: Pick<Database, 'query'>,
  table: 'publish_ledger' | 'trigger_ledger' | 'dead_letter',
  column: 'at' | 'resolved_at',
  retentionDays: number,
): Promise<number> {
  let removed = 0
  for (;;) {
    const rows = await database.query(
      `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM ${table}
         WHERE pg_try_advisory_xact_lock($1) AND ${column} < now() - $2::int * interval '1 day'
         LIMIT ${SWEEP_ROWS}))
       RETURNING 1`,
      [UPKEEP_LOCK, retentionDays],
    )
    removed += rows.length
    if (rows.length < SWEEP_ROWS) return removed
  }
}
