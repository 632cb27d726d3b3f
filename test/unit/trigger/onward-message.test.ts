import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brokerDrivers, driverOf } from '../../../src/brokers/registry.js'
import type { InboundMessage } from '../../../src/brokers/subscription.js'
import { onwardMessage } from '../../../src/trigger/onward-message.js'
import { inboundMessage } from '../../helpers/inbound-message.js'

function onward(kind: 'kafka' | 'rocketmq', fields: Partial<InboundMessage>) {
  const { inputs } = driverOf(brokerDrivers(), kind)
  return onwardMessage(inboundMessage(fields), { topic: 'copies', requestId: 'r1' }, inputs)
}

const FROM_ROCKETMQ = { key: null, tag: 'paid', keys: ['a', 'b'], messageGroup: 'customer 1' }

describe('a message that goes on', () => {
  it('from Kafka to Kafka keeps key, bytes, headers and timestamp, and may change its partition', () => {
    const headers = { trace: [Buffer.from('1'), Buffer.from([0xff])], source: Buffer.from('shop') }
    assert.deepEqual(onward('kafka', { headers }), {
      topic: 'copies',
      requestId: 'r1',
      value: Buffer.from('{"order":1}'),
      key: Buffer.from('customer 1'),
      timestamp: Date.parse('2026-01-31T08:00:00.123Z'),
      headers: { ...headers, 'x-request-id': 'r1' },
    })
  })

  it('from RocketMQ to RocketMQ keeps tag, keys, group and properties', () => {
    const { topic, tag, keys, messageGroup, headers, key } = onward('rocketmq', {
      ...FROM_ROCKETMQ,
      headers: { source: 'shop' },
    })
    assert.deepEqual(
      [topic, tag, keys, messageGroup, key],
      ['copies', 'paid', ['a', 'b'], 'customer 1', undefined],
    )
    assert.deepEqual(headers, {
      source: 'shop',
      'x-message-timestamp': '1769846400123',
      'x-request-id': 'r1',
    })
  })

  it('from RocketMQ to Kafka has its group as key, and the rest as headers', () => {
    const { key, headers } = onward('kafka', FROM_ROCKETMQ)
    assert.deepEqual(key, Buffer.from('customer 1'))
    assert.deepEqual(headers, {
      'x-message-tag': 'paid',
      'x-message-keys': 'a b',
      'x-message-group': 'customer 1',
      'x-request-id': 'r1',
    })
    assert.deepEqual(onward('kafka', { ...FROM_ROCKETMQ, messageGroup: undefined }).key, Buffer.from('a b'))
    assert.equal(onward('kafka', { key: null }).key, null)
  })

  it('from Kafka through RocketMQ to Kafka has the timestamp it had at first', () => {
    const { timestamp } = onward('kafka', {
      ...FROM_ROCKETMQ,
      queue: { topic: 'orders', partition: 0, broker: 'broker-a' },
      headers: { 'x-message-timestamp': '1500000000000' },
    })
    assert.equal(timestamp, 1500000000000)
  })

  it('from Kafka to RocketMQ has its key as keys where that is one, else as a property', () => {
    assert.deepEqual(onward('rocketmq', { key: Buffer.from('4711') }).keys, ['4711'])
    for (const [key, property] of [
      [Buffer.from('customer 1'), 'customer 1'],
      [Buffer.from([0xff, 0x00]), '/wA='],
      [Buffer.from('a\u0001b'), 'YQFi'],
    ] as const) {
      const { keys, headers } = onward('rocketmq', { key })
      assert.equal(keys, undefined)
      assert.equal(headers['x-message-key'], property)
    }
  })

  it('to RocketMQ has one printable text in each property', () => {
    const headers = {
      text: Buffer.from('ü'),
      bytes: Buffer.from([0xff]),
      lines: 'a\nb',
      list: [Buffer.from('1'), Buffer.from([0xfe])],
    }
    const { 'x-message-timestamp': _, ...properties } = onward('rocketmq', { key: null, headers }).headers
    assert.deepEqual(properties, {
      text: 'ü',
      bytes: '/w==',
      lines: 'YQpi',
      list: '1,/g==',
      'x-request-id': 'r1',
    })
  })

  it('leaves the time to Kafka where it has none', () => {
    assert.equal('timestamp' in onward('kafka', { timestamp: -1 }), false)
  })
})
