import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTime } from '../../../src/core/time-text.js'

describe('a time', () => {
  const quarter = Date.UTC(2020, 1, 1, 4, 15)
  const times: [text: string, time: number][] = [
    ['2020-02-01 04:15:00.00 Z', quarter],
    ['2020-02-01T04:15:00Z', quarter],
    ['2020-02-01T04:15Z', quarter],
    ['2020-02-01 04:15:00.250 UTC', quarter + 250],
    ['2020-02-01T04:15:00.123456789Z', quarter + 123],
    ['2020-02-01T05:15:00+01:00', quarter],
    ['2020-02-01 05:15:00 +0100', quarter],
    ['2020-01-31T23:15:00-05', quarter],
    [' 2020-02-01 ', Date.UTC(2020, 1, 1)],
  ]
  for (const [text, time] of times) {
    it(`may be written as ${text}`, () => {
      assert.equal(parseTime(text), time)
    })
  }

  for (const text of [
    '',
    'now',
    '2020-02-01T04:15:00',
    '2020-02-30',
    '2020-13-01',
    '2020-02-01 25:00 Z',
    '1969-01-01',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.equal(parseTime(text), undefined)
    })
  }
})
