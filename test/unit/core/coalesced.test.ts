import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Coalesced } from '../../../src/core/coalesced.js'

/** Work that ends when the test says so. */
function controlled() {
  const runs: { end(): void; fail(error: Error): void }[] = []
  const coalesced = new Coalesced(
    () => new Promise((resolve, reject) => runs.push({ end: () => resolve(), fail: reject })),
  )
  return { coalesced, runs }
}

describe('coalesced work', () => {
  it('is done at once, and again at the next call', async () => {
    const { coalesced, runs } = controlled()
    const first = coalesced.run()
    runs[0]?.end()
    await first
    void coalesced.run()
    assert.equal(runs.length, 2)
  })

  it('is done once more for all calls made while it runs, after that', async () => {
    const { coalesced, runs } = controlled()
    const first = coalesced.run()
    const others = [coalesced.run(), coalesced.run()]
    assert.equal(runs.length, 1)
    runs[0]?.end()
    await first
    await new Promise(setImmediate)
    assert.equal(runs.length, 2)
    runs[1]?.end()
    await Promise.all(others)
  })

  it('that fails fails for those only whose run it was', async () => {
    const { coalesced, runs } = controlled()
    const first = coalesced.run()
    const second = coalesced.run()
    runs[0]?.fail(new Error('away'))
    await assert.rejects(first, /away/)
    await new Promise(setImmediate)
    runs[1]?.end()
    await second
  })

  it('is never done twice at a time, whenever it is asked for', async () => {
    let running = 0
    let most = 0
    const coalesced = new Coalesced(async () => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
    })
    const asked: Promise<void>[] = []
    for (let i = 0; i < 50; i++) {
      asked.push(coalesced.run())
      await Promise.resolve()
    }
    await Promise.all(asked)
    assert.equal(most, 1)
  })

  it('is pending until the run that was asked for last has ended', async () => {
    const { coalesced, runs } = controlled()
    assert.equal(coalesced.pending, undefined)
    const first = coalesced.run()
    assert.equal(coalesced.pending, first)
    const second = coalesced.run()
    assert.equal(coalesced.pending, second)
    runs[0]?.end()
    await new Promise(setImmediate)
    assert.notEqual(coalesced.pending, undefined)
    runs[1]?.end()
    await second
    assert.equal(coalesced.pending, undefined)
  })
})
