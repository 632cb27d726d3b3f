import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { type Repeating, repeating } from '../core/repeating.js'
import type { Database } from '../db/database.js'
import { ALL_ADAPTERS } from './counters.js'
import { SUMMED_HISTOGRAM } from './measures.js'

const EVERY_MS = 60_000
const ROLLUP_LOCK = 4_771_902_004
/** Rows of one statement at most: each is one short transaction. */
const ROLLUP_ROWS = 2000
const FORGET_ROWS = 5000

/** How long each resolution is kept, days. */
export interface SlaRetention {
  slaMinuteRetentionDays: number
  slaHourRetentionDays: number
  slaDayRetentionDays: number
}

const TIERS = ['minute', 'hour', 'day'] as const
type Tier = (typeof TIERS)[number]

const SUMS = `sum(calls) AS calls, sum(errors) AS errors, sum(held) AS held, sum(duration_sum_ms) AS duration_sum_ms,
  max(duration_max_ms) AS duration_max_ms, ${SUMMED_HISTOGRAM}::bigint[] AS histogram`

/** Adds sums to those that a table has already; the order in which they come does not matter. */
function addTo(table: string, key: string, sums: string): string {
  return `
INSERT INTO ${table} AS known
  (starts_at, ${key}, calls, errors, held, duration_sum_ms, duration_max_ms, histogram)
SELECT starts_at, ${key}, calls, errors, held, duration_sum_ms, duration_max_ms, histogram FROM ${sums}
ON CONFLICT (${key}, starts_at) DO UPDATE SET
  calls = known.calls + excluded.calls,
  errors = known.errors + excluded.errors,
  held = known.held + excluded.held,
  duration_sum_ms = known.duration_sum_ms + excluded.duration_sum_ms,
  duration_max_ms = greatest(known.duration_max_ms, excluded.duration_max_ms),
  histogram = ARRAY(
    SELECT a + b FROM unnest(known.histogram, excluded.histogram) WITH ORDINALITY AS both_(a, b, n) ORDER BY n)`
}

/** What was moved, by the processes of each adapter, by adapter, and of all adapters together. */
function addToTier(tier: Tier): string {
  return `, ${tier}_sums AS (
  SELECT date_trunc('${tier}', minute, 'UTC') AS starts_at, adapter_id, operation, process_id, ${SUMS}
  FROM moved GROUP BY 1, 2, 3, 4
), ${tier}_totals AS (
  SELECT starts_at, coalesce(adapter_id, '${ALL_ADAPTERS}') AS adapter_id, operation, ${SUMS}
  FROM ${tier}_sums GROUP BY GROUPING SETS ((starts_at, adapter_id, operation), (starts_at, operation))
), ${tier}_added AS (${addTo(`sla_${tier}`, 'adapter_id, operation, process_id', `${tier}_sums`)}
), ${tier}_totals_added AS (${addTo(`sla_${tier}_total`, 'adapter_id, operation', `${tier}_totals`)}
)`
}

// Counters are moved, not copied: a row is in sla_counter or in the sums, never in both or in neither, wherever the
// statement is cut off. One that comes late is simply moved later. What a writer holds is left for the next time, so
// that the two cannot deadlock; so is all while another worker is at it.
const ROLLUP_STATEMENT = `
WITH chosen AS MATERIALIZED (
  SELECT ctid FROM sla_counter
  WHERE (SELECT pg_try_advisory_xact_lock($1)) AND minute < date_trunc('minute', now()) - interval '5 minutes'
  LIMIT ${ROLLUP_ROWS} FOR UPDATE SKIP LOCKED
), moved AS (
  DELETE FROM sla_counter USING chosen WHERE sla_counter.ctid = chosen.ctid RETURNING sla_counter.*
)${TIERS.map(addToTier).join('')}
SELECT count(*)::int AS moved FROM moved`

/** Rolls up and forgets, once a minute, by one worker at a time. */
export function startRollUp(options: { database: Database; kept: SlaRetention; log: Log }): Repeating {
  const { database, kept, log } = options
  return repeating(
    EVERY_MS,
    async () => {
      await rollUp(database)
      await forgetOldSums(database, kept)
    },
    (error) => log.warn('rolling up the SLA counters failed', { reason: messageOf(error) }),
  )
}

/**
 * Moves the counters of past minutes into sums of minutes, hours and days over all workers. May be called by any number
 * of workers at once.
 * @returns rows moved
 */
export async function rollUp(database: Pick<Database, 'query'>): Promise<number> {
  let total = 0
  for (;;) {
    const [row] = await database.query<{ moved: number }>(ROLLUP_STATEMENT, [ROLLUP_LOCK])
    const moved = row?.moved ?? 0
    total += moved
    if (moved < ROLLUP_ROWS) return total
  }
}

/** Forgets sums that are older than their resolution is kept, whole hours and days. */
export async function forgetOldSums(database: Pick<Database, 'query'>, kept: SlaRetention): Promise<void> {
  await forget(database, 'minute', 'hour', kept.slaMinuteRetentionDays)
  await forget(database, 'hour', 'day', kept.slaHourRetentionDays)
  await forget(database, 'day', 'day', kept.slaDayRetentionDays)
}

async function forget(
  database: Pick<Database, 'query'>,
  tier: Tier,
  whole: 'hour' | 'day',
  days: number,
): Promise<void> {
  for (const table of [`sla_${tier}`, `sla_${tier}_total`]) {
    let removed: unknown[]
    do {
      removed = await database.query(
        `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM ${table}
           WHERE starts_at < date_trunc('${whole}', now(), 'UTC') - $1::int * interval '24 hours'
           LIMIT ${FORGET_ROWS} FOR UPDATE SKIP LOCKED))
         RETURNING 1`,
        [days],
      )
    } while (removed.length === FORGET_ROWS)
  }
}
