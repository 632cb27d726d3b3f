import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CounterSample, NO_ADAPTER, sumSamples } from '../../../src/sla/counters.js'
import { bucketOf } from '../../../src/sla/histogram.js'

const A = '00000000-0000-7000-8000-00000000000a'
const B = '00000000-0000-7000-8000-00000000000b'
const sample = (given: Partial<CounterSample> = {}): CounterSample => ({
  adapterId: A,
  operation: 'publish',
  processId: 'order',
  result: 'ok',
  durationMs: 10,
  ...given,
})

describe('counters', () => {
  it('sum calls, errors and durations of one adapter, operation and process', () => {
    const rows = sumSamples([sample(), sample({ result: 'error', durationMs: 30 })])
    assert.equal(rows.length, 1)
    const { calls, errors, held, durationSumMs, durationMaxMs, histogram } = rows[0] ?? assert.fail()
    assert.deepEqual(
      { calls, errors, held, durationSumMs, durationMaxMs },
      { calls: 2, errors: 1, held: 0, durationSumMs: 40, durationMaxMs: 30 },
    )
    assert.equal(histogram[bucketOf(10)], 1)
    assert.equal(histogram[bucketOf(30)], 1)
  })

  it('count a hold, but not as a call', () => {
    const [row] = sumSamples([sample({ result: 'held', durationMs: 5000 })])
    assert.deepEqual([row?.held, row?.calls, row?.errors, row?.durationSumMs], [1, 0, 0, 0])
    assert.equal(
      row?.histogram.reduce((sum, count) => sum + count, 0),
      0,
    )
  })

  it('keep adapters, operations and processes apart', () => {
    const samples = [
      sample(),
      sample({ adapterId: B }),
      sample({ operation: 'x' }),
      sample({ processId: 'x' }),
    ]
    assert.equal(sumSamples(samples).length, 4)
  })

  it('count calls that named no adapter there is', () => {
    assert.equal(sumSamples([sample({ adapterId: null })])[0]?.adapterId, NO_ADAPTER)
  })

  it('come in the same order, however the samples came: writers cannot deadlock', () => {
    const samples = ['b', 'a', 'ab', 'B', 'é'].flatMap((processId) =>
      [B, A, null].map((adapterId) => sample({ processId, adapterId })),
    )
    const keys = (list: CounterSample[]) => sumSamples(list).map((row) => [row.adapterId, row.processId])
    assert.deepEqual(keys(samples), keys([...samples].reverse()))
  })
})
