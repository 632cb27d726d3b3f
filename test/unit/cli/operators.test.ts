import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collectPairs, parseTimestamp } from '../../../src/cli/arguments.js'
import { parsePosition } from '../../../src/cli/consume.js'

const REFUSED = { code: 'commander.invalidArgument' }

describe('where to read from', () => {
  it('is an end of the topic, an offset of any size, or a time', () => {
    assert.deepEqual(parsePosition('earliest'), { at: 'earliest' })
    assert.deepEqual(parsePosition('latest'), { at: 'latest' })
    assert.deepEqual(parsePosition('9007199254740993'), { at: 'offset', offset: '9007199254740993' })
    assert.deepEqual(parsePosition('2026-01-01T00:00:00Z'), { at: 'time', time: 1_767_225_600_000 })
  })

  it('may be some time ago', () => {
    const position = parsePosition('1h')
    assert.ok(position.at === 'time' && Math.abs(Date.now() - 3_600_000 - position.time) < 5000)
  })

  for (const wrong of ['-1', 'yesterday', '']) {
    it(`is not "${wrong}"`, () => assert.throws(() => parsePosition(wrong), REFUSED))
  }
})

describe('a timestamp', () => {
  it('is milliseconds or an ISO time', () => {
    assert.equal(parseTimestamp('1767225600000'), 1_767_225_600_000)
    assert.equal(parseTimestamp('2026-01-01T00:00:00Z'), 1_767_225_600_000)
  })

  for (const wrong of ['-5', '1.5', 'now', '2026-13-01']) {
    it(`is not "${wrong}"`, () => assert.throws(() => parseTimestamp(wrong), REFUSED))
  }
})

describe('pairs', () => {
  it('are collected in their order, with what follows the first =', () => {
    assert.deepEqual(collectPairs('a=1=2', collectPairs('b=')), [
      ['b', ''],
      ['a', '1=2'],
    ])
  })

  for (const wrong of ['a', '=1']) {
    it(`are not "${wrong}"`, () => assert.throws(() => collectPairs(wrong), REFUSED))
  }
})
