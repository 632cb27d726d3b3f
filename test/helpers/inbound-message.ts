import type { InboundMessage } from '../../src/brokers/subscription.js'

/** A message of Kafka, with what matters to the test. */
export function inboundMessage(fields: Partial<InboundMessage> = {}): InboundMessage {
  return {
    topic: 'orders',
    id: 'orders-0-7',
    queue: { topic: 'orders', partition: 0 },
    offset: '7',
    timestamp: Date.parse('2026-01-31T08:00:00.123Z'),
    attempt: 3,
    key: Buffer.from('customer 1'),
    value: Buffer.from('{"order":1}'),
    headers: {},
    ...fields,
  }
}
