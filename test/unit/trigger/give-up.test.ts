import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brokerDrivers, driverOf } from '../../../src/brokers/registry.js'
import { RelayError } from '../../../src/core/errors.js'
import { deadLetterMessage, deadLetterOf, messageTime } from '../../../src/trigger/give-up.js'
import { GIVEN_UP } from '../../helpers/dead-letters.js'
import { inboundMessage } from '../../helpers/inbound-message.js'

const WRONG = { ...GIVEN_UP, error: new RelayError('EXPRESSION_INVALID', 'variables: wrong\nat 1:2') }

describe('a dead letter', () => {
  it('has headers as text where they are text, else as base64, repeated ones as several', () => {
    const headers = { one: Buffer.from('ü'), two: ['a', Buffer.from([0xff])], nul: 'a\0b', __proto: 'x' }
    assert.deepEqual(deadLetterOf(inboundMessage({ headers }), GIVEN_UP).headers, {
      one: ['ü'],
      two: ['a', { base64: '/w==' }],
      nul: [{ base64: 'YQBi' }],
      __proto: ['x'],
    })
  })

  it('holds no text that Postgres refuses', () => {
    const message = inboundMessage({ tag: 'a\0', keys: ['\ud800'], messageGroup: '\0' })
    const letter = deadLetterOf(message, {
      ...GIVEN_UP,
      requestId: 'r\0',
      error: new RelayError('INTERNAL', '\0'.repeat(7000)),
    })
    assert.deepEqual(
      [letter.requestId, letter.tag, letter.keys, letter.messageGroup],
      ['r\ufffd', 'a\ufffd', ['\ufffd'], '\ufffd'],
    )
    assert.equal(letter.errorText, '\ufffd'.repeat(6000))
  })

  it('has a time that tables can hold, whatever the sender took for milliseconds', () => {
    assert.equal(messageTime({ timestamp: 1_769_846_400_123 }).toISOString(), '2026-01-31T08:00:00.123Z')
    assert.equal(messageTime({ timestamp: 1.7e18 }).toISOString(), '9999-12-31T23:59:59.999Z')
    assert.equal(messageTime({ timestamp: -9e18 }).toISOString(), '0001-01-01T00:00:00.000Z')
  })
})

describe('the message of a dead-letter topic', () => {
  const place = { topic: 'orders-dead', worker: 'worker-1' }
  const message = inboundMessage({
    offset: '9223372036854775807',
    queue: { topic: 'orders', partition: 2 },
    headers: { source: Buffer.from('shop'), '__connect.errors.stage': 'older' },
  })
  const expected = {
    '__connect.errors.topic': 'orders',
    '__connect.errors.partition': '2',
    '__connect.errors.offset': '9223372036854775807',
    '__connect.errors.connector.name': 'start-orders',
    '__connect.errors.task.id': 'worker-1',
    '__connect.errors.stage': 'variables',
    '__connect.errors.class.name': 'start',
    '__connect.errors.exception.class.name': 'EXPRESSION_INVALID',
    '__connect.errors.exception.message': 'variables: wrong at 1:2',
    'x-request-id': 'r1',
  }

  it('is the same with the headers of Kafka Connect', () => {
    const { inputs } = driverOf(brokerDrivers(), 'kafka')
    const { headers, key, value, timestamp } = deadLetterMessage(message, WRONG, { ...place, inputs })
    assert.deepEqual(headers, { source: Buffer.from('shop'), ...expected })
    assert.deepEqual([key, value, timestamp], [message.key, message.value, message.timestamp])
  })

  it('has them as properties on RocketMQ, and no message group, as its topic would refuse one', () => {
    const { inputs } = driverOf(brokerDrivers(), 'rocketmq')
    const { headers, messageGroup } = deadLetterMessage(
      inboundMessage({ ...message, messageGroup: 'g' }),
      WRONG,
      { ...place, inputs },
    )
    const { 'x-message-key': key, 'x-message-timestamp': time, ...properties } = headers
    assert.deepEqual([key, time, messageGroup], ['customer 1', '1769846400123', undefined])
    assert.deepEqual(properties, { source: 'shop', ...expected })
  })
})
