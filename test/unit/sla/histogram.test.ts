import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BUCKETS, bucketOf, emptyHistogram, percentileMs, upperBoundMs } from '../../../src/sla/histogram.js'

const MOST_TOO_HIGH = Math.SQRT2 * (1 + 1e-9)

describe('a histogram of durations', () => {
  it('reads a percentile back as at least the true one and at most 41 % more', () => {
    const durations = Array.from({ length: 5000 }, (_, i) => 0.3 * 1.0025 ** i)
    const histogram = histogramOf(durations)
    for (const share of [0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
      const truth = durations[Math.ceil(share * durations.length) - 1] ?? 0
      const read = percentileMs(histogram, share)
      assert.ok(read >= truth * (1 - 1e-9) && read <= truth * MOST_TOO_HIGH, `${share}: ${read} for ${truth}`)
    }
  })

  it('of any workers and minutes adds up bucket by bucket to that of all calls', () => {
    const durations = Array.from({ length: 400 }, (_, i) => (i * 37) % 1000)
    const [a, b] = [histogramOf(durations.slice(0, 150)), histogramOf(durations.slice(150))]
    assert.deepEqual(
      a.map((count, bucket) => count + (b[bucket] ?? 0)),
      histogramOf(durations),
    )
  })

  it('reaches from nothing to three quarters of an hour, and counts longer calls as its longest', () => {
    assert.equal(bucketOf(0), 0)
    assert.ok(upperBoundMs(BUCKETS - 1) >= 45 * 60_000)
    assert.equal(bucketOf(24 * 3_600_000), BUCKETS - 1)
  })

  it('without calls has the percentile 0', () => {
    assert.equal(percentileMs(emptyHistogram(), 0.99), 0)
  })

  it('of one call has that call as every percentile', () => {
    const histogram = histogramOf([100])
    for (const share of [0, 0.5, 1]) {
      const read = percentileMs(histogram, share)
      assert.ok(read >= 100 && read <= 100 * MOST_TOO_HIGH)
    }
  })
})

function histogramOf(durations: number[]): number[] {
  const histogram = emptyHistogram()
  for (const duration of durations) histogram[bucketOf(duration)] = (histogram[bucketOf(duration)] ?? 0) + 1
  return histogram
}
