import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseKafkaSettings } from '../../../../src/brokers/kafka/settings.js'
import { RelayError } from '../../../../src/core/errors.js'

test('the address is a list of bootstrap servers, spaces around them aside', () => {
  assert.deepEqual(parseKafkaSettings(' a.example:9092 ,b:9093,', {}).bootstrapServers, [
    'a.example:9092',
    'b:9093',
  ])
})

for (const [address, named] of [
  ['', 'address is empty'],
  ['a:9092,b', '"b"'],
  ['a:9092, b:0', '"b:0"'],
  ['a:70000', '"a:70000"'],
  ['http://a:9092', '"http://a:9092"'],
] as const) {
  test(`the address "${address}" is refused, naming what is wrong`, () => {
    assert.ok(refusal(address, {}).includes(named))
  })
}

test('by default every replica acknowledges and the producer is idempotent', () => {
  const { acks, idempotent, deliverySemantic } = parseKafkaSettings('a:9092', {})
  assert.deepEqual([acks, idempotent, deliverySemantic], ['all', true, 'at-least-once'])
})

test('settings of the guarantee that were not given follow from those that were', () => {
  const guarantees = (given: Record<string, unknown>) => {
    const { acks, idempotent, deliverySemantic } = parseKafkaSettings('a:9092', given)
    return [acks, idempotent, deliverySemantic]
  }
  assert.deepEqual(guarantees({ acks: 'leader' }), ['leader', false, 'at-least-once'])
  assert.deepEqual(guarantees({ acks: 'none' }), ['none', false, 'none'])
  assert.deepEqual(guarantees({ deliverySemantic: 'none' }), ['none', false, 'none'])
})

for (const [given, ...named] of [
  [{ acks: 'leader', idempotent: true }, 'idempotent', 'acks'],
  [{ deliverySemantic: 'none', acks: 'all' }, 'deliverySemantic', 'acks'],
  [{ deliverySemantic: 'at-least-once', acks: 'none' }, 'deliverySemantic', 'acks'],
  [{ deliverySemantic: 'none', idempotent: true }, 'idempotent', 'acks'],
  [{ deliverySemantic: 'exactly-once' }, 'exactly-once', 'not available yet'],
  [{ acks: 'some' }, 'acks', '"some"'],
  [{ requestTimeoutMs: 5 }, 'requestTimeoutMs', '5'],
  [{ retrys: 3 }, 'retrys', 'not a setting'],
  [{ ssl: { enabled: true, cert: 'PEM' } }, 'ssl.cert', 'ssl.key'],
  [{ ssl: { ca: 'PEM' } }, 'ssl.ca', 'ssl.enabled'],
  [{ sasl: { mechanism: 'plain', username: 'me' } }, 'sasl', 'password'],
  [
    { consumer: { heartbeatIntervalMs: 10_000 } },
    'consumer.heartbeatIntervalMs 10000',
    'consumer.sessionTimeoutMs 10000',
  ],
  [
    { consumer: { rebalanceTimeoutMs: 2000 } },
    'consumer.heartbeatIntervalMs 3000',
    'consumer.rebalanceTimeoutMs 2000',
  ],
  [{ consumer: { fetchWaitMs: 30_000 } }, 'consumer.fetchWaitMs 30000', 'consumer.requestTimeoutMs 30000'],
  [
    { consumer: { fetchMinBytes: 2048, fetchMaxBytes: 1024 } },
    'consumer.fetchMaxBytes 1024',
    'consumer.fetchMinBytes 2048',
  ],
  [{ consumer: { offsetRetentionMs: 5 } }, 'consumer', 'not a setting'],
] as const) {
  test(`${JSON.stringify(given)} is refused, naming ${named.join(' and ')}`, () => {
    const message = refusal('a:9092', given)
    for (const name of named) assert.ok(message.includes(name), message)
  })
}

for (const [given, ...named] of [
  [{ flush: { messages: 100 } }, 'flush.messages is 100', 'flush.intervalMs is 0'],
  [{ flush: { bytes: 4096 } }, 'flush.bytes is 4096', 'flush.intervalMs is 0'],
  [{ flush: { intervalMs: 5, messages: 10, maxMessages: 5 } }, 'flush.messages 10', 'flush.maxMessages 5'],
  [{ retryBackoffMs: 500, retryBackoffMaxMs: 100 }, 'retryBackoffMs 500', 'retryBackoffMaxMs 100'],
  [{ maxMessageBytes: 0 }, 'maxMessageBytes 0', '1000'],
  [{ maxMessagesPerSecond: 0 }, 'maxMessagesPerSecond 0', '0.01'],
  [{ compression: 'brotli' }, 'compression', '"brotli"', 'zstd'],
  [{ sasl: { mechanism: 'plain', username: 'me' } }, 'sasl.password is missing', 'sasl.mechanism plain'],
  [{ sasl: { mechanism: 'oauthbearer', clientId: 'me' } }, 'sasl.tokenEndpoint is missing'],
  [
    { sasl: { mechanism: 'plain', username: 'me', password: 'x', scope: 'kafka' } },
    'sasl.scope is set',
    'sasl.mechanism plain has no use for it',
  ],
  [{ sasl: { mechanism: 'gssapi' } }, 'sasl.mechanism', '"gssapi"', 'scram-sha-512'],
  [{ ssl: { enabled: true, ca: '/etc/ca.pem' } }, 'ssl.ca holds no certificate', 'not the name of a file'],
  [{ ssl: { enabled: true, passphrase: 'x' } }, 'ssl.passphrase is set', 'ssl.key is not'],
  [{ ssl: { cert: 'PEM', key: 'PEM' } }, 'ssl.cert', 'ssl.enabled is false'],
] as const) {
  test(`${JSON.stringify(given)} is refused: ${named.join(', ')}`, () => {
    const message = refusal('a:9092', given)
    for (const name of named) assert.ok(message.includes(name), message)
  })
}

test('flush limits are not set unless they are given, and no message waits', () => {
  assert.deepEqual(parseKafkaSettings('a:9092', {}).flush, {
    intervalMs: 0,
    messages: 0,
    bytes: 0,
    maxMessages: 0,
  })
})

test('bootstrap servers may be IPv6 addresses', () => {
  assert.deepEqual(parseKafkaSettings('[::1]:9092', {}).bootstrapServers, ['[::1]:9092'])
})

test('a refusal never shows a text that may be a secret', () => {
  for (const given of [{ sasl: 'hunter2' }, { pasword: 'hunter2' }, { ssl: { key: 'hunter2' } }]) {
    assert.ok(!refusal('a:9092', given).includes('hunter2'))
  }
})

function refusal(address: string, given: Record<string, unknown>): string {
  try {
    parseKafkaSettings(address, given)
  } catch (error) {
    assert.ok(error instanceof RelayError)
    assert.equal(error.code, 'SETTINGS_INVALID')
    return error.message
  }
  return assert.fail('the settings were accepted')
}
