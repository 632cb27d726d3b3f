import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bucketOf } from '../../../src/sla/histogram.js'
import { WorkerStats } from '../../../src/sla/worker-stats.js'

describe("a worker's own statistics", () => {
  it('count calls by adapter, operation and how they ended', () => {
    const stats = new WorkerStats()
    stats.ended('orders', 'publish', 'completed', 10)
    stats.ended('orders', 'publish', 'failed', 30)
    stats.ended('news', 'publish', 'completed', 1)
    assert.deepEqual(
      stats.calls().map(({ adapter, ended }) => [adapter, ended.completed, ended.failed]),
      [
        ['orders', 1, 1],
        ['news', 1, 0],
      ],
    )
  })

  it('measure only what was a call: no holds, no repeats', () => {
    const stats = new WorkerStats()
    stats.ended('orders', 'publish', 'completed', 10)
    stats.ended('orders', 'publish', 'held', 500)
    stats.ended('orders', 'publish', 'repeated', 500)
    const [orders] = stats.calls()
    assert.equal(orders?.durationSumMs, 10)
    assert.equal(orders?.histogram[bucketOf(10)], 1)
    assert.equal(
      orders?.histogram.reduce((sum, count) => sum + count, 0),
      1,
    )
  })

  it('keep few lines, whatever adapters calls name', () => {
    const stats = new WorkerStats()
    for (let i = 0; i < 2000; i++) stats.ended(`adapter-${i}`, 'publish', 'completed', 1)
    const lines = stats.calls()
    assert.ok(lines.length <= 501)
    assert.equal(lines.find(({ adapter }) => adapter === '(other)')?.ended.completed, 1500)
  })

  it('count calls that named no adapter there is', () => {
    const stats = new WorkerStats()
    stats.ended(undefined, 'publish', 'rejected', 1)
    assert.equal(stats.calls()[0]?.adapter, '(none)')
  })

  it('put a batch among those of its size', () => {
    const stats = new WorkerStats()
    for (const items of [1, 2, 3, 4, 512]) stats.recordBatch(items)
    assert.deepEqual(stats.recordBatches, { buckets: [1, 1, 2, 0, 0, 0, 0, 0, 0, 1], batches: 5, items: 522 })
  })
})
