import { Histogram, type HistogramConfiguration } from 'prom-client'
import { upperBoundMs } from '../sla/histogram.js'

export interface GivenValues {
  labels: Record<string, string>
  /** Observations up to and including `le`, in rising order of it. */
  buckets: { le: number; count: number }[]
  count: number
  sum: number
}

/** Every other bucket of ours: powers of two from 0.25 ms to 33 s. */
const DURATION_BUCKETS = Array.from({ length: 18 }, (_, i) => 2 * i)

/** Durations as they are counted here, in seconds. */
export function durationsOf(
  labels: Record<string, string>,
  { histogram, durationSumMs }: { histogram: readonly number[]; durationSumMs: number },
): GivenValues {
  return {
    labels,
    buckets: DURATION_BUCKETS.map((bucket) => ({
      le: upperBoundMs(bucket) / 1000,
      count: sumOf(histogram.slice(0, bucket + 1)),
    })),
    count: sumOf(histogram),
    sum: durationSumMs / 1000,
  }
}

export function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * A Prometheus histogram of what was counted elsewhere: its values are read when it is asked for. The library's own
 * counts each observation, labels and all, while the work goes on.
 */
export class GivenHistogram extends Histogram {
  readonly #given: Pick<HistogramConfiguration<string>, 'name' | 'help'>
  readonly #read: () => GivenValues[]

  constructor(
    configuration: Pick<HistogramConfiguration<string>, 'name' | 'help' | 'labelNames'>,
    read: () => GivenValues[],
  ) {
    super({ ...configuration, registers: [] })
    this.#given = configuration
    this.#read = read
  }

  /** What the library makes every form of its answer from; missing in its types. */
  async getForPromString() {
    const { name, help } = this.#given
    const values = this.#read().flatMap(({ labels: sharedLabels, buckets, count, sum }) => [
      ...[...buckets, { le: '+Inf', count }].map((bucket) => ({
        metricName: `${name}_bucket`,
        sharedLabels,
        labels: { le: bucket.le },
        value: bucket.count,
      })),
      { metricName: `${name}_sum`, sharedLabels, labels: {}, value: sum },
      { metricName: `${name}_count`, sharedLabels, labels: {}, value: count },
    ])
    return { name, help, type: 'histogram', values, aggregator: 'sum' }
  }
}
