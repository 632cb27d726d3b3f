import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseFastjson } from '../../../../src/brokers/rocketmq/fastjson.js'

describe('JSON as RocketMQ writes it', () => {
  it('may be JSON as everybody writes it', () => {
    const value = { a: [1, -2.5e3, 'x"y\\z\n', true, false, null, {}, []], b: { c: 'é' } }
    assert.deepEqual(parseFastjson(JSON.stringify(value, null, 2)), value)
  })

  it('may have numbers as names', () => {
    assert.deepEqual(parseFastjson('{0:"a:1",1:"b:2"}'), { 0: 'a:1', 1: 'b:2' })
  })

  it('may have objects as names', () => {
    const queue = { brokerName: 'broker-a', queueId: 0, topic: 't' }
    const table = parseFastjson(`{"offsetTable":{${JSON.stringify(queue)}:{"maxOffset":7}}}`)
    assert.deepEqual(table, { offsetTable: { [JSON.stringify(queue)]: { maxOffset: 7 } } })
  })

  it('keeps all digits of 64 bits', () => {
    assert.deepEqual(parseFastjson('[9223372036854775807,9007199254740991]'), [
      '9223372036854775807',
      9007199254740991,
    ])
  })

  for (const broken of ['', '{', '{"a"}', '[1 2]', '{"a":1}}', '"a', '{a:1}']) {
    it(`is not ${JSON.stringify(broken)}`, () => {
      assert.throws(() => parseFastjson(broken), SyntaxError)
    })
  }
})
