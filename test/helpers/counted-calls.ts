import type { Database } from '../../src/db/database.js'
import { bucketOf, emptyHistogram } from '../../src/sla/histogram.js'

export interface Counted {
  /** Its id. */
  adapter: string
  worker?: string
  operation?: string
  processId?: string
  calls?: number
  errors?: number
  held?: number
  durationMs?: number
}

/** Writes counters as a worker leaves them in the minute that holds `at`. */
export async function countCalls(database: Pick<Database, 'query'>, at: Date, given: Counted): Promise<void> {
  const {
    adapter,
    worker = 'w',
    operation = 'publish',
    processId = 'order',
    calls = 0,
    errors = 0,
    held = 0,
    durationMs = 1,
  } = given
  const histogram = emptyHistogram()
  histogram[bucketOf(durationMs)] = calls
  await database.query(
    `INSERT INTO sla_counter VALUES
       (date_trunc('minute', $1::timestamptz), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::bigint[])`,
    [
      at.toISOString(),
      adapter,
      operation,
      processId,
      worker,
      calls,
      errors,
      held,
      calls * durationMs,
      durationMs,
      histogram,
    ],
  )
}
