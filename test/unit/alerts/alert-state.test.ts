import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nextStep, type OpenState } from '../../../src/alerts/alert-state.js'
import type { Measured } from '../../../src/alerts/metrics.js'
import type { Operator } from '../../../src/alerts/policy.js'

const NOW = new Date('2026-01-31T08:00:00Z')
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000)

interface Given {
  operator?: Operator
  threshold?: number
  recoveryThreshold?: number | null
  forSeconds?: number
  open?: OpenState
}

function stepOf(measured: Measured, { open, ...given }: Given = {}) {
  const condition = {
    operator: 'above',
    threshold: 10,
    recoveryThreshold: null,
    forSeconds: 60,
    ...given,
  } as const
  return nextStep(condition, open, measured, NOW)
}

const pending = (seconds: number): OpenState => ({ state: 'pending', since: ago(seconds) })
const firing: OpenState = { state: 'firing', since: ago(600) }

describe('an alert', () => {
  it('does not begin while the condition does not hold', () => {
    assert.deepEqual(stepOf(10), { kind: 'stay' })
  })

  it('begins as pending when the condition begins to hold', () => {
    assert.deepEqual(stepOf(11), { kind: 'begin' })
  })

  it('fires at once without a for-duration', () => {
    assert.deepEqual(stepOf(11, { forSeconds: 0 }), { kind: 'fire', since: NOW, value: 11 })
  })

  it('stays pending until the condition has held for its duration', () => {
    assert.deepEqual(stepOf(11, { open: pending(59) }), { kind: 'stay' })
  })

  it('fires once the condition has held for its duration, and knows since when', () => {
    assert.deepEqual(stepOf(12, { open: pending(60) }), { kind: 'fire', since: ago(60), value: 12 })
  })

  it('is dropped when the condition ends before its duration', () => {
    assert.deepEqual(stepOf(10, { open: pending(59) }), { kind: 'drop' })
  })

  it('does not fire again while it fires', () => {
    assert.deepEqual(stepOf(50, { open: firing }), { kind: 'stay' })
  })

  it('is resolved when the condition ends', () => {
    assert.deepEqual(stepOf(10, { open: firing }), { kind: 'resolve', value: 10 })
  })

  it('goes on firing between threshold and recovery threshold', () => {
    assert.deepEqual(stepOf(7, { open: firing, recoveryThreshold: 5 }), { kind: 'stay' })
  })

  it('is resolved at the recovery threshold', () => {
    assert.deepEqual(stepOf(5, { open: firing, recoveryThreshold: 5 }), { kind: 'resolve', value: 5 })
  })

  it('does not begin between threshold and recovery threshold', () => {
    assert.deepEqual(stepOf(7, { recoveryThreshold: 5 }), { kind: 'stay' })
  })

  it('that pends is dropped between threshold and recovery threshold', () => {
    assert.deepEqual(stepOf(7, { recoveryThreshold: 5, open: pending(10) }), { kind: 'drop' })
  })

  it('goes on firing below its threshold until the value is back above the recovery threshold', () => {
    const low = { operator: 'below', threshold: 1, recoveryThreshold: 3, open: firing } as const
    assert.deepEqual([stepOf(2, low).kind, stepOf(3, low).kind], ['stay', 'resolve'])
  })

  it('does not begin where there is nothing to measure', () => {
    assert.deepEqual(stepOf('none'), { kind: 'stay' })
  })

  it('is resolved where there is nothing to measure any more', () => {
    assert.deepEqual(stepOf('none', { open: firing }), { kind: 'resolve', value: null })
  })

  it('that pends is dropped where there is nothing to measure any more', () => {
    assert.deepEqual(stepOf('none', { open: pending(10) }), { kind: 'drop' })
  })

  for (const [name, open] of [
    ['not there', undefined],
    ['pending beyond its duration', pending(100)],
    ['firing', firing],
  ] as const) {
    it(`stays ${name} while nobody can tell`, () => {
      assert.deepEqual(stepOf('unknown', open && { open }), { kind: 'stay' })
    })
  }

  for (const [operator, holding, notHolding] of [
    ['above', 10.1, 10],
    ['at-least', 10, 9.9],
    ['below', 9.9, 10],
    ['at-most', 10, 10.1],
  ] as const) {
    it(`with ${operator} 10 begins at ${holding} and not at ${notHolding}`, () => {
      assert.equal(stepOf(holding, { operator }).kind, 'begin')
      assert.equal(stepOf(notHolding, { operator }).kind, 'stay')
    })
  }
})
