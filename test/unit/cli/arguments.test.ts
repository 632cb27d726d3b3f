import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseKey, parseMoment, wholeNumber } from '../../../src/cli/arguments.js'

const HOUR = 3_600_000

describe('a moment given to a command', () => {
  for (const [text, ago] of [
    ['90s', 90_000],
    ['30m', HOUR / 2],
    ['1h', HOUR],
    ['7d', 7 * 24 * HOUR],
    ['2w', 14 * 24 * HOUR],
  ] as const) {
    it(`may be ${text}, back from now`, () => {
      const before = Date.now() - ago
      const moment = parseMoment(text).getTime()
      assert.ok(moment >= before && moment <= Date.now() - ago)
    })
  }

  it('may be a time', () => {
    assert.equal(parseMoment('2026-01-31T08:00:00+08:00').toISOString(), '2026-01-31T00:00:00.000Z')
  })

  it('may be a day, which begins at midnight UTC', () => {
    assert.equal(parseMoment('2026-01-31').toISOString(), '2026-01-31T00:00:00.000Z')
  })

  for (const text of ['', 'yesterday', '1', '-1h', '1.5h', '999999999d', '2026-13-01', '2026', '1h ']) {
    it(`may not be "${text}"`, () => assert.throws(() => parseMoment(text), /Give a duration back from now/))
  }
})

describe('a number given to a command', () => {
  it('is whole and within its bounds', () => {
    assert.equal(wholeNumber(1, 10)('10'), 10)
    for (const text of ['0', '11', '1.5', '1e1', '', 'x']) {
      assert.throws(() => wholeNumber(1, 10)(text), /whole number from 1 to 10/)
    }
  })
})

describe('a key of the engine', () => {
  it('keeps all its digits', () => assert.equal(parseKey('9223372036854775807'), '9223372036854775807'))
  it('has at most 63 bits', () => assert.throws(() => parseKey('9223372036854775808'), /key of digits/))
  it('has nothing but digits', () => assert.throws(() => parseKey('-1'), /key of digits/))
})
