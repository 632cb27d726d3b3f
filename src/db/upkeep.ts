import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { type Repeating, repeating } from '../core/repeating.js'
import type { Database } from './database.js'
import { ensureAuditPartitions } from './partitions.js'

const EVERY_MS = 60_000
const SWEEP_ROWS = 5000
const UPKEEP_LOCK = 4_771_902_002
const SHORTEST_MEMORY_MS = 600_000

export interface UpkeepOptions {
  database: Database
  jobTimeoutMs: number
  ledgerRetentionDays: number
  log: Log
}

/** Makes partitions ahead and forgets old ledger rows, once a minute, by one worker at a time. */
export function startUpkeep({ database, jobTimeoutMs, ledgerRetentionDays, log }: UpkeepOptions): Repeating {
  return repeating(
    EVERY_MS,
    async () => {
      await ensureAuditPartitions(database)
      await sweepLedger(database, { jobTimeoutMs, ledgerRetentionDays })
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
  let removed = 0
  for (;;) {
    const rows = await database.query(
      `DELETE FROM publish_ledger WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM publish_ledger
         WHERE pg_try_advisory_xact_lock($1)
           AND at < now() - $2::double precision * interval '1 ms'
           AND (settled_at < now() - $2::double precision * interval '1 ms' OR at < now() - $3::int * interval '1 day')
         LIMIT ${SWEEP_ROWS}))
       RETURNING 1`,
      [UPKEEP_LOCK, memoryMs, options.ledgerRetentionDays],
    )
    removed += rows.length
    if (rows.length < SWEEP_ROWS) return removed
  }
}
