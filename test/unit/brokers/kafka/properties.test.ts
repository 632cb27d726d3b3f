import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from '../../../../src/brokers/kafka/properties.js'
import { parseKafkaSettings } from '../../../../src/brokers/kafka/settings.js'

const parse = (settings: Record<string, unknown>) => parseKafkaSettings('a:9092', settings)

describe("properties of Kafka's Java producer", () => {
  it('mean what the settings mean that they stand for', () => {
    const settings = parse({
      properties: {
        acks: '1',
        'linger.ms': 5,
        'batch.size': '16384',
        'compression.type': 'lz4',
        'request.timeout.ms': 4000,
        retries: 3,
        'client.id': 'orders',
        'max.request.size': '2000000',
      },
    })

    assert.deepEqual(
      [settings.acks, settings.idempotent, settings.compression, settings.requestTimeoutMs],
      ['leader', false, 'lz4', 4000],
    )
    assert.deepEqual([settings.flush.intervalMs, settings.flush.bytes], [5, 16_384])
    assert.deepEqual(
      [settings.retries, settings.clientId, settings.maxMessageBytes],
      [3, 'orders', 2_000_000],
    )
  })

  it('give way to a setting of its own name', () => {
    const settings = parse({
      acks: 'all',
      flush: { intervalMs: 7 },
      properties: { acks: '0', 'linger.ms': 50 },
    })

    assert.deepEqual(
      [settings.acks, settings.deliverySemantic, settings.flush.intervalMs],
      ['all', 'at-least-once', 7],
    )
  })

  it('add to a group of settings that is there', () => {
    const { flush } = parse({ flush: { messages: 10 }, properties: { 'linger.ms': 50 } })

    assert.deepEqual([flush.messages, flush.intervalMs], [10, 50])
  })

  it('turn TLS on by the name of the protocol', () => {
    assert.equal(parse({ properties: { 'security.protocol': 'SSL' } }).ssl.enabled, true)
    assert.equal(parse({ properties: { 'security.protocol': 'plaintext' } }).ssl.enabled, false)
  })

  it('do not change what was given', () => {
    const given = { flush: { messages: 10 }, properties: { 'linger.ms': 50 } }
    parse(given)
    assert.deepEqual(given, { flush: { messages: 10 }, properties: { 'linger.ms': 50 } })
  })

  for (const [properties, ...named] of [
    [{ 'buffer.memory': 1 }, 'properties.buffer.memory', 'BPMN_RELAY_MAX_IN_FLIGHT'],
    [{ 'transactional.id': 'a' }, 'properties.transactional.id', 'not available yet'],
    [{ 'foo.config': 'bar' }, 'properties.foo.config', 'linger.ms'],
    [{ acks: '2' }, 'properties.acks "2"', 'all, '],
    [{ 'linger.ms': -1 }, 'flush.intervalMs (properties.linger.ms) -1', '>= 0'],
    [{ 'batch.size': 16_384 }, 'flush.bytes is 16384', 'flush.intervalMs'],
    [{ 'enable.idempotence': true, acks: '1' }, 'idempotent true contradicts acks leader'],
    [{ 'security.protocol': 'SASL_SSL' }, 'properties.security.protocol SASL_SSL', 'sasl is not set'],
    [{ 'linger.ms': { a: 1 } }, 'properties.linger.ms', 'number'],
    ['linger.ms=5', 'properties is no object'],
  ] as const) {
    it(`are refused where they cannot be honoured: ${JSON.stringify(properties)}`, () => {
      assert.throws(
        () => parse({ properties }),
        (error: Error) => {
          for (const name of named) assert.ok(error.message.includes(name), error.message)
          return true
        },
      )
    })
  }

  it('that are secret are refused without being shown', () => {
    for (const name of ['ssl.keystore.key', 'sasl.jaas.config', 'ssl.key.password']) {
      assert.throws(
        () => parse({ properties: { [name]: 'hunter2' } }),
        (error: Error) => error.message.includes(name) && !error.message.includes('hunter2'),
      )
    }
  })

  it('are either honoured or refused, not both', () => {
    assert.deepEqual(
      Object.keys(HONOURED_PROPERTIES).filter((name) => name in REFUSED_PROPERTIES),
      [],
    )
  })
})

describe("properties of Kafka's Java consumer", () => {
  it('mean what the settings mean that they stand for', () => {
    const { consumer } = parse({
      consumer: {
        properties: {
          'fetch.min.bytes': 512,
          'max.partition.fetch.bytes': '2048',
          'session.timeout.ms': 45_000,
          'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.RoundRobinAssignor',
          'isolation.level': 'READ_UNCOMMITTED',
          'auto.offset.reset': 'earliest',
        },
      },
    })

    assert.deepEqual(
      [consumer.fetchMinBytes, consumer.partitionFetchBytes, consumer.sessionTimeoutMs],
      [512, 2048, 45_000],
    )
    assert.deepEqual(
      [consumer.strategy, consumer.isolationLevel, consumer.initialPosition],
      ['roundRobin', 'read-uncommitted', 'earliest'],
    )
  })

  it('give way to a setting of its own name, and leave those of the producer alone', () => {
    const settings = parse({
      requestTimeoutMs: 5000,
      consumer: {
        sessionTimeoutMs: 20_000,
        properties: { 'session.timeout.ms': 6000, 'request.timeout.ms': 7000 },
      },
    })

    assert.deepEqual(
      [settings.consumer.sessionTimeoutMs, settings.consumer.requestTimeoutMs, settings.requestTimeoutMs],
      [20_000, 7000, 5000],
    )
  })

  for (const [properties, ...named] of [
    [{ 'enable.auto.commit': true }, 'consumer.properties.enable.auto.commit', 'once it is handled'],
    [{ 'group.id': 'a' }, 'consumer.properties.group.id', 'subscription'],
    [{ 'auto.offset.reset': 'none' }, 'consumer.properties.auto.offset.reset', 'earliest, latest'],
    [{ 'linger.ms': 5 }, 'consumer.properties.linger.ms', 'fetch.min.bytes'],
    [
      { 'session.timeout.ms': 5 },
      'consumer.sessionTimeoutMs (consumer.properties.session.timeout.ms) 5',
      '1000',
    ],
  ] as const) {
    it(`${JSON.stringify(properties)} are refused, naming ${named[0]}`, () => {
      assert.throws(
        () => parse({ consumer: { properties } }),
        (error: Error) => {
          for (const name of named) assert.ok(error.message.includes(name), error.message)
          return true
        },
      )
    })
  }
})
