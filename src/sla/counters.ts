import { bucketOf, emptyHistogram } from './histogram.js'

/** One call as the counters see it. */
export interface CounterSample {
  /** `null`: the call named no adapter there is. */
  adapterId: string | null
  operation: string
  processId: string
  result: 'ok' | 'error' | 'held'
  durationMs: number
}

/** The sum of samples that share adapter, operation and process; workers and minutes are added by the statement. */
export interface CounterRow {
  adapterId: string
  operation: string
  processId: string
  calls: number
  errors: number
  held: number
  durationSumMs: number
  durationMaxMs: number
  histogram: number[]
}

/** Stands for "no adapter" in the counters' key. */
export const NO_ADAPTER = '00000000-0000-0000-0000-000000000000'
/** Stands for all adapters together in the key of the totals. */
export const ALL_ADAPTERS = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Samples summed up, in the order of their key: writers that upsert in one order cannot deadlock. */
export function sumSamples(samples: Iterable<CounterSample>): CounterRow[] {
  const rows = new Map<string, CounterRow>()
  for (const { adapterId, operation, processId, result, durationMs } of samples) {
    const id = adapterId ?? NO_ADAPTER
    const key = `${id}\n${operation}\n${processId}`
    let row = rows.get(key)
    if (!row) {
      row = {
        adapterId: id,
        operation,
        processId,
        calls: 0,
        errors: 0,
        held: 0,
        durationSumMs: 0,
        durationMaxMs: 0,
        histogram: emptyHistogram(),
      }
      rows.set(key, row)
    }
    if (result === 'held') {
      row.held += 1
      continue
    }
    const bucket = bucketOf(durationMs)
    row.calls += 1
    row.errors += result === 'error' ? 1 : 0
    row.durationSumMs += durationMs
    row.durationMaxMs = Math.max(row.durationMaxMs, durationMs)
    row.histogram[bucket] = (row.histogram[bucket] ?? 0) + 1
  }
  return [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}
