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
] as const) {
  test(`${JSON.stringify(given)} is refused, naming ${named.join(' and ')}`, () => {
    const message = refusal('a:9092', given)
    for (const name of named) assert.ok(message.includes(name), message)
  })
}

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
