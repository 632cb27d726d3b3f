import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OutboundMessage } from '../../../../src/brokers/broker.js'
import { checkMessage } from '../../../../src/brokers/rocketmq/message.js'
import { type Protocol, parseSettings } from '../../../../src/brokers/rocketmq/settings.js'
import { type ErrorCode, RelayError } from '../../../../src/core/errors.js'

describe('a message for RocketMQ', () => {
  const refused: Array<[string, Protocol, Partial<OutboundMessage>, ErrorCode, string[]]> = [
    ['null', 'remoting', { value: null }, 'NOT_SUPPORTED', ['message is null', 'tombstones']],
    ['empty', 'grpc', { value: Buffer.alloc(0) }, 'INPUT_INVALID', ['message is empty', 'one byte']],
    ['too large', 'remoting', { value: Buffer.alloc(101) }, 'MESSAGE_TOO_LARGE', ['101', 'limit is 100']],
    ['with a key', 'remoting', { key: Buffer.from('k') }, 'NOT_SUPPORTED', ['key', 'use keys']],
    ['with a partition', 'grpc', { partition: 0 }, 'NOT_SUPPORTED', ['partition', 'messageGroup']],
    ['with a timestamp', 'remoting', { timestamp: 1 }, 'NOT_SUPPORTED', ['timestamp', 'property']],
    ['with delay level 19', 'remoting', { delayLevel: 19 }, 'INPUT_INVALID', ['delayLevel is 19', '18']],
    [
      'with delay level 19 over gRPC',
      'grpc',
      { delayLevel: 19 },
      'INPUT_INVALID',
      ['delayLevel is 19', '18'],
    ],
    [
      'delayed twice',
      'remoting',
      { delayLevel: 1, deliverAt: 1 },
      'INPUT_INVALID',
      ['delayLevel and deliverAt', 'use one'],
    ],
    [
      'delayed and in a group',
      'remoting',
      { messageGroup: 'g', deliverAt: 1 },
      'NOT_SUPPORTED',
      ['messageGroup and deliverAt'],
    ],
    ['with a producer group over gRPC', 'grpc', { producerGroup: 'g' }, 'NOT_SUPPORTED', ['leave it out']],
    ['for a topic with a space', 'remoting', { topic: 'a b' }, 'TOPIC_INVALID', ['topic "a b"', '127']],
    ['with a key of two words', 'remoting', { keys: ['a b'] }, 'INPUT_INVALID', ['keys holds "a b"']],
    ['with a tag expression', 'remoting', { tag: 'a||b' }, 'INPUT_INVALID', ['tag "a||b"', 'without |']],
    [
      'with a reserved property',
      'grpc',
      { headers: { KEYS: 'a' } },
      'INPUT_INVALID',
      ['property KEYS', 'reserved'],
    ],
    [
      'with a property of two values',
      'remoting',
      { headers: { a: ['1', '2'] } },
      'NOT_SUPPORTED',
      ['property a has several values'],
    ],
    [
      'with a binary property',
      'grpc',
      { headers: { a: Buffer.from('1') } },
      'NOT_SUPPORTED',
      ['property a is binary'],
    ],
    [
      'with a property that holds a separator',
      'remoting',
      { headers: { a: 'x\u0002y' } },
      'INPUT_INVALID',
      ['property "a"', 'control character'],
    ],
  ]
  for (const [what, protocol, fields, code, words] of refused) {
    test(`${what} is refused, naming the field and the cure`, () => {
      const settings = parseSettings('a:1', { protocol, maxMessageBytes: 100 })
      const message = { topic: 't', value: Buffer.from('x'), requestId: 'r', headers: {}, ...fields }

      assert.throws(
        () => checkMessage(message, 'id', settings),
        (error: unknown) => {
          assert.ok(error instanceof RelayError)
          for (const word of words) assert.ok(error.message.includes(word), error.message)
          return error.code === code
        },
      )
    })
  }

  test('may have a property of several lines over remoting', () => {
    const message = { topic: 't', value: Buffer.from('x'), requestId: 'r', headers: { a: '1\n2' } }

    const checked = checkMessage(message, 'id', parseSettings('a:1', {}))

    assert.deepEqual(checked.properties, { a: '1\n2' })
  })

  test('has, over gRPC, a delivery time for its delay level', () => {
    const message = { topic: 't', value: Buffer.from('x'), requestId: 'r', headers: {}, delayLevel: 3 }
    const settings = parseSettings('a:1', { protocol: 'grpc', delayLevels: '1s 5s 2h' })
    const before = Date.now()

    const { delayLevel, deliverAt } = checkMessage(message, 'id', settings)

    assert.equal(delayLevel, undefined)
    const delay = Number(deliverAt) - before
    assert.ok(delay >= 7_200_000 && delay < 7_210_000, `${delay} ms`)
  })

  test('may not have a delay level that the table does not reach over gRPC', () => {
    const message = { topic: 't', value: Buffer.from('x'), requestId: 'r', headers: {}, delayLevel: 3 }
    const settings = parseSettings('a:1', { protocol: 'grpc', delayLevels: '1s 5s' })

    assert.throws(() => checkMessage(message, 'id', settings), /delayLevel is 3: .* from 1 to 2/)
  })
})
