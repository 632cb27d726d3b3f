import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { topicPattern } from '../../../src/trigger/topic-pattern.js'

describe('a topic pattern', () => {
  it('is about the whole name', () => {
    const names = ['a', 'b', 'ab', 'ba', 'aa']
    assert.deepEqual(
      names.filter((name) => topicPattern('a|b').test(name)),
      ['a', 'b'],
    )
  })
})
