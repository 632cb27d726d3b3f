import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { Holds } from '../../../src/publish/holds.js'

describe('a hold', () => {
  it('lasts 5 s while few jobs are held', () => {
    assert.equal(new Holds(() => 0).next(), 5000)
  })

  it('lasts 300 s and more once 3,000 jobs are held', () => {
    const holds = withHeld(3000, () => 0)
    assert.equal(holds.held, 3000)
    assert.ok(holds.next() >= 300_000)
  })

  it('never lasts longer than 10 minutes', () => {
    assert.equal(withHeld(20_000, () => 1).next(), 600_000)
  })

  it('is spread by jitter that can be given', () => {
    assert.ok(new Holds(() => 1).next() > new Holds(() => 0).next())
    const many = new Set(Array.from({ length: 20 }, () => new Holds().next()))
    assert.ok(many.size > 10)
  })

  it('counts no more once it is over', () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const holds = withHeld(100, () => 0)
    mock.timers.tick(60_000)
    assert.equal(holds.held, 0)
    assert.equal(holds.next(), 5000)
    mock.timers.reset()
  })
})

describe('all holds of a worker together', () => {
  for (const jobs of [200, 2000]) {
    it(`cost at most 10 jobs a second with ${jobs} jobs that stay held`, () => {
      const holds = new Holds(() => 0)
      mock.timers.enable({ apis: ['setTimeout', 'Date'] })
      let activations = 0
      const activate = () => {
        activations += 1
        setTimeout(activate, holds.next())
      }
      for (let job = 0; job < jobs; job += 1) setTimeout(activate, 0)
      mock.timers.tick(1)
      // Every job is on its long back-off after one round.
      mock.timers.tick(400_000)
      activations = 0
      const seconds = 400
      mock.timers.tick(seconds * 1000)
      mock.timers.reset()
      assert.ok(activations / seconds <= 10.5, `${activations / seconds} jobs/s`)
    })
  }
})

function withHeld(count: number, random: () => number): Holds {
  const holds = new Holds(random)
  for (let held = 0; held < count; held += 1) holds.next()
  return holds
}
