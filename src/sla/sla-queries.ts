import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { validate as isUuid } from 'uuid'
import type { Database } from '../db/database.js'
import { percentileMs } from './histogram.js'

export interface SlaFilter {
  /** Id or name of an adapter. */
  adapter?: string | undefined
  /** From the minute that holds this moment. */
  since: Date
}

/** What the counters of all workers and minutes say about one adapter, operation and process. Times in ms. */
export interface SlaSummary {
  adapterId: string
  /** Null when the adapter is deleted, or there never was one. */
  adapterName: string | null
  operation: string
  processId: string
  calls: number
  errors: number
  /** Errors per call, 0 to 1; 0 without calls. */
  errorRate: number
  /** Jobs given back without a call, because the adapter was out of service. */
  held: number
  averageMs: number
  /** Percentiles are upper bounds of histogram buckets: at most 41 % too high, and never above the maximum. */
  p50Ms: number
  p95Ms: number
  p99Ms: number
  maxMs: number
}

const Row = Type.Object({
  adapterId: Type.String(),
  adapterName: Type.Union([Type.String(), Type.Null()]),
  operation: Type.String(),
  processId: Type.String(),
  calls: Type.Number(),
  errors: Type.Number(),
  held: Type.Number(),
  sumMs: Type.Number(),
  maxMs: Type.Number(),
  histogram: Type.Array(Type.Number()),
})

/** Summed over minutes and workers, by adapter name, operation and process. */
export async function slaSummaries(
  database: Pick<Database, 'query'>,
  { adapter, since }: SlaFilter,
): Promise<SlaSummary[]> {
  const values: unknown[] = [since.toISOString()]
  if (adapter !== undefined) values.push(adapter)
  const condition =
    adapter === undefined ? '' : `AND ${isUuid(adapter) ? 'adapter_id = $2::uuid' : 'name = $2'}`
  const rows = await database.query(
    `WITH chosen AS (
       SELECT counter.*, adapter.name FROM sla_counter AS counter LEFT JOIN adapter ON adapter.id = adapter_id
       WHERE minute >= date_trunc('minute', $1::timestamptz) ${condition}
     ), buckets AS (
       SELECT adapter_id, operation, process_id, bucket, sum(count)::double precision AS count
       FROM chosen, unnest(histogram) WITH ORDINALITY AS bucket(count, bucket)
       GROUP BY adapter_id, operation, process_id, bucket
     )
     SELECT adapter_id AS "adapterId", name AS "adapterName", operation, process_id AS "processId",
       sum(calls)::double precision AS calls, sum(errors)::double precision AS errors,
       sum(held)::double precision AS held, sum(duration_sum_ms) AS "sumMs", max(duration_max_ms) AS "maxMs",
       (SELECT array_agg(count ORDER BY bucket) FROM buckets
        WHERE (buckets.adapter_id, buckets.operation, buckets.process_id)
            = (chosen.adapter_id, chosen.operation, chosen.process_id)) AS histogram
     FROM chosen GROUP BY adapter_id, name, operation, process_id
     ORDER BY name NULLS LAST, adapter_id, operation, process_id`,
    values,
  )
  return rows.map((row) => summaryOf(Value.Parse(Row, row)))
}

function summaryOf({ sumMs, histogram, ...row }: Static<typeof Row>): SlaSummary {
  const { calls, errors, maxMs } = row
  // The bucket's upper bound may lie above the slowest call there was.
  const percentile = (share: number) => Math.min(maxMs, percentileMs(histogram, share))
  return {
    ...row,
    errorRate: calls === 0 ? 0 : errors / calls,
    averageMs: calls === 0 ? 0 : sumMs / calls,
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    p99Ms: percentile(0.99),
  }
}
