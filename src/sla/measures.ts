import { type Static, Type } from 'typebox'
import { BUCKETS, emptyHistogram, percentileMs } from './histogram.js'

/** What counters say about some calls. Times in ms. */
export interface Measures {
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

/** Histograms of a group added bucket by bucket. An array of sums is many times cheaper than unnesting, in doubles most. */
export const SUMMED_HISTOGRAM = `ARRAY[${Array.from({ length: BUCKETS }, (_, i) => `sum(histogram[${i + 1}]::double precision)`).join(', ')}]`

/** Columns of `Sums`, over rows of any of the counters' tables. */
export const SUMS = `sum(calls)::double precision AS calls, sum(errors)::double precision AS errors,
  sum(held)::double precision AS held, sum(duration_sum_ms) AS "sumMs", max(duration_max_ms) AS "maxMs",
  ${SUMMED_HISTOGRAM} AS histogram`

export const Sums = {
  calls: Type.Number(),
  errors: Type.Number(),
  held: Type.Number(),
  sumMs: Type.Number(),
  maxMs: Type.Number(),
  histogram: Type.Array(Type.Number()),
}
const SumsObject = Type.Object(Sums)
export type CounterSums = Static<typeof SumsObject>

/** Of several adapters or times taken together. */
export function addSums(all: readonly CounterSums[]): CounterSums {
  const total = { calls: 0, errors: 0, held: 0, sumMs: 0, maxMs: 0, histogram: emptyHistogram() }
  for (const { calls, errors, held, sumMs, maxMs, histogram } of all) {
    total.calls += calls
    total.errors += errors
    total.held += held
    total.sumMs += sumMs
    total.maxMs = Math.max(total.maxMs, maxMs)
    for (const [bucket, count] of histogram.entries()) {
      total.histogram[bucket] = (total.histogram[bucket] ?? 0) + count
    }
  }
  return total
}

export function measuresOf(sums: CounterSums): Measures {
  const { calls, errors, held, sumMs, maxMs, histogram } = sums
  // The bucket's upper bound may lie above the slowest call there was.
  const percentile = (share: number) => Math.min(maxMs, percentileMs(histogram, share))
  return {
    calls,
    errors,
    errorRate: calls === 0 ? 0 : errors / calls,
    held,
    averageMs: calls === 0 ? 0 : sumMs / calls,
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    p99Ms: percentile(0.99),
    maxMs,
  }
}

export const NO_MEASURES: Measures = measuresOf({
  calls: 0,
  errors: 0,
  held: 0,
  sumMs: 0,
  maxMs: 0,
  histogram: [],
})
