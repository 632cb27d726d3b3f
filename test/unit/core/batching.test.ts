import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BatchingOptions, batching, type ItemResult } from '../../../src/core/batching.js'

const same = (items: number[]): ItemResult<number>[] => items.map((value) => ({ ok: true, value }))

/** Keeps the batches that it made. */
function notedBatching(maxItems: number, options: BatchingOptions = {}) {
  const batches: number[][] = []
  const work = batching<number, number>(
    maxItems,
    async (items) => {
      batches.push(items)
      return same(items)
    },
    options,
  )
  return { batches, work }
}

describe('batching', () => {
  it('joins calls made at one moment, without waiting for a timer', async () => {
    const { batches, work } = notedBatching(10)
    const timer = setTimeout(() => assert.fail('a timer was waited for'), 0)

    assert.deepEqual(await Promise.all([1, 2, 3].map((item) => work.add(item))), [1, 2, 3])

    clearTimeout(timer)
    assert.deepEqual(batches, [[1, 2, 3]])
  })

  it('collects what arrives while a batch runs into the next one', async () => {
    const { batches, work, finish } = heldBatching()
    const first = work.add(1)
    await turns()
    const later = [work.add(2), work.add(3)]
    await turns()
    assert.deepEqual(batches, [[1]], 'a second batch began while the first ran')
    assert.equal(work.waiting, 2)

    finish()
    await first
    await turns()
    assert.deepEqual(batches, [[1], [2, 3]])
    finish()
    await Promise.all(later)
  })

  it('keeps the order of arrival and the upper bound of a batch', async () => {
    const { batches, work } = notedBatching(2)
    await Promise.all([1, 2, 3, 4, 5].map((item) => work.add(item)))
    assert.deepEqual(batches, [[1, 2], [3, 4], [5]])
  })

  it('rests for company between batches where it is told to, and lets a lone item go at once', async () => {
    const { batches, work } = notedBatching(10, { rest: { ms: 50, company: () => 16 } })
    assert.equal(await work.add(1), 1)
    const second = work.add(2)
    await turns()
    assert.deepEqual(batches, [[1]], 'it did not rest')
    await Promise.all([second, work.add(3)])
    assert.deepEqual(batches, [[1], [2, 3]])
  })

  it('rests for no more company than it is told to', async () => {
    const { batches, work } = notedBatching(100, { rest: { ms: 3_600_000, company: () => 2 } })
    await work.add(1)
    await Promise.all([work.add(2), work.add(3)])
    assert.deepEqual(batches, [[1], [2, 3]])
  })

  it('ends a rest early when there is company enough', async () => {
    const { batches, work } = notedBatching(100, { rest: { ms: 3_600_000, company: () => 16 } })
    await work.add(1)
    await Promise.all(Array.from({ length: 16 }, (_, item) => work.add(item)))
    assert.equal(batches.length, 2)
  })

  it('divides what waits among its lanes', async () => {
    const { batches, work } = notedBatching(10, { lanes: 2, divideFrom: 2 })
    assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map((item) => work.add(item))), [1, 2, 3, 4, 5])
    assert.deepEqual(batches, [
      [1, 2, 3],
      [4, 5],
    ])
  })

  it('keeps what is too little to be divided for the lane that runs', async () => {
    const { batches, work, finish } = heldBatching({ lanes: 2, divideFrom: 2 })
    const all = [work.add(1)]
    await turns()
    all.push(work.add(2))
    await turns()
    assert.deepEqual(batches, [[1]])

    all.push(work.add(3))
    await turns()
    assert.deepEqual(batches, [[1], [2, 3]])
    finish()
    await Promise.all(all)
    await work.idle()
  })

  it('tells every caller of a batch that failed, and goes on with the next', async () => {
    let calls = 0
    const work = batching<number, number>(2, async (items) => {
      calls += 1
      if (calls === 1) throw new Error('away')
      return same(items)
    })
    const outcomes = await Promise.allSettled([1, 2, 3].map((item) => work.add(item)))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled'],
    )
  })

  it('gives each item its own error', async () => {
    const work = batching<number, number>(9, async (items) =>
      items.map((value) => (value === 2 ? { ok: false, error: new Error('two') } : { ok: true, value })),
    )
    const [one, two] = [work.add(1), work.add(2)]
    await assert.rejects(two, /two/)
    assert.equal(await one, 1)
  })

  it('fails an item the batch gave no result for', async () => {
    const work = batching<number, number>(9, async (items) => same(items.slice(1)))
    const [one, two] = [work.add(1), work.add(2)]
    await assert.rejects(two, /no result/)
    await one
  })

  it('is idle at first, and again once nothing waits and nothing runs', async () => {
    const { work, finish } = heldBatching()
    await work.idle()
    const added = [work.add(1)]
    await turns()
    added.push(work.add(2))
    let idle = false
    const waiting = work.idle().then(() => {
      idle = true
    })
    finish()
    await turns()
    assert.equal(idle, false, 'idle although a second batch runs')
    finish()
    await Promise.all([...added, waiting])
  })
})

/** A batching whose batches end when told. */
function heldBatching(options: BatchingOptions = {}) {
  const batches: number[][] = []
  let held: (() => void)[] = []
  const run = async (items: number[]) => {
    batches.push(items)
    await new Promise<void>((resolve) => held.push(resolve))
    return same(items)
  }
  const work = batching<number, number>(10, run, options)
  const finish = () => {
    assert.notEqual(held.length, 0, 'no batch runs')
    for (const resolve of held) resolve()
    held = []
  }
  return { batches, work, finish }
}

/** Lets everything run that waits for nothing but its turn. */
function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
