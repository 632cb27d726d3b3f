import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from '../../../../src/brokers/rocketmq/properties.js'
import { parseSettings } from '../../../../src/brokers/rocketmq/settings.js'

describe('RocketMQ settings', () => {
  test('are complete without any: name servers, 4 MiB, three attempts, 20 threads', () => {
    const settings = parseSettings('a:9876; b:9876', {})

    assert.deepEqual(settings, {
      protocol: 'remoting',
      addresses: ['a:9876', 'b:9876'],
      ssl: { enabled: false, rejectUnauthorized: true },
      producerGroup: 'bpmn-relay',
      sendTimeoutMs: 3000,
      connectTimeoutMs: 3000,
      retries: 2,
      onUnsafeStore: 'warn',
      maxMessageBytes: 4 * 1024 * 1024,
      compressOverBytes: 0,
      delayLevels: [
        ...[1, 5, 10, 30, 60, 120, 180, 240, 300, 360].map((seconds) => seconds * 1000),
        ...[7, 8, 9, 10, 20, 30, 60, 120].map((minutes) => minutes * 60_000),
      ],
      consumeThreadMin: 20,
      consumeThreadMax: 20,
      consumeMessageBatchMaxSize: 1,
      maxReconsumeTimes: 16,
    })
  })

  test('take numbers and switches as text, as an environment variable gives them', () => {
    const settings = parseSettings('a:8081', { protocol: 'grpc', retries: '5', ssl: { enabled: 'true' } })

    assert.deepEqual([settings.retries, settings.ssl.enabled], [5, true])
  })

  test('mean 20 consumer threads by 0', () => {
    const { consumeThreadMin, consumeThreadMax } = parseSettings('a:1', {
      consumeThreadMin: 0,
      consumeThreadMax: 64,
    })

    assert.deepEqual([consumeThreadMin, consumeThreadMax], [20, 64])
  })

  test("by the names of RocketMQ's Java clients mean the settings that they stand for", () => {
    const settings = parseSettings('a:9876', {
      properties: {
        sendMsgTimeout: 5000,
        mqClientApiTimeout: '2000',
        retryTimesWhenSendFailed: 4,
        retryAnotherBrokerWhenNotStoreOK: true,
        compressMsgBodyOverHowmuch: 4096,
        maxMessageSize: 1000,
        producerGroup: 'orders',
        namespace: 'shop',
        consumeThreadMin: 2,
        consumeThreadMax: 8,
        consumeMessageBatchMaxSize: 32,
        maxReconsumeTimes: 3,
      },
    })

    const { sendTimeoutMs, connectTimeoutMs, retries, onUnsafeStore, compressOverBytes, maxMessageBytes } =
      settings
    assert.deepEqual(
      [sendTimeoutMs, connectTimeoutMs, retries, onUnsafeStore, compressOverBytes, maxMessageBytes],
      [5000, 2000, 4, 'fail', 4096, 1000],
    )
    assert.deepEqual([settings.producerGroup, settings.namespace], ['orders', 'shop'])
    assert.deepEqual([settings.consumeThreadMin, settings.consumeThreadMax], [2, 8])
    assert.deepEqual([settings.consumeMessageBatchMaxSize, settings.maxReconsumeTimes], [32, 3])
  })

  test('give way to a setting of its own name', () => {
    assert.equal(parseSettings('a:1', { retries: 1, properties: { retryTimesWhenSendFailed: 9 } }).retries, 1)
  })

  test('by the names of the Java clients are either honoured or refused, not both', () => {
    assert.deepEqual(
      Object.keys(HONOURED_PROPERTIES).filter((name) => name in REFUSED_PROPERTIES),
      [],
    )
  })

  const refused: Array<[string, string, Record<string, unknown>, string[]]> = [
    ['an empty address', '', {}, ['address is empty', '10.0.0.1:9876']],
    ['an address without port', 'names', {}, ['address "names"', 'host:port']],
    ['an address list with commas', 'a:1,b:2', {}, ['address "a:1,b:2"', 'host:port;host:port']],
    ['a port that does not exist', 'a:70000', {}, ['address "a:70000"']],
    ['two proxies', 'a:8081;b:8081', { protocol: 'grpc' }, ['2 proxies', 'load balancer']],
    ['an unknown protocol', 'a:1', { protocol: 'http' }, ['protocol "http"', 'remoting', 'grpc']],
    ['an unknown setting', 'a:1', { retires: 3 }, ['retires is not a setting', 'correct its name']],
    ['a number out of bounds', 'a:1', { retries: 99 }, ['retries 99', '<= 10']],
    ['too many threads', 'a:1', { consumeThreadMax: 1001 }, ['consumeThreadMax 1001', '<= 1000']],
    [
      'more threads at least than at most',
      'a:1',
      { consumeThreadMin: 30, consumeThreadMax: 10 },
      ['consumeThreadMin 30 is above consumeThreadMax 10', 'lower it'],
    ],
    [
      'fewer threads at most than the default at least',
      'a:1',
      { consumeThreadMax: 10 },
      ['consumeThreadMin 0 (that is 20) is above consumeThreadMax 10'],
    ],
    ['a batch of none', 'a:1', { consumeMessageBatchMaxSize: 0 }, ['consumeMessageBatchMaxSize 0', '>= 1']],
    ['redeliveries below none', 'a:1', { maxReconsumeTimes: -1 }, ['maxReconsumeTimes -1', '>= 0']],
    [
      'TLS over remoting',
      'a:1',
      { ssl: { enabled: true } },
      ['ssl.enabled', 'remoting', 'use protocol "grpc"'],
    ],
    [
      'a certificate that is none',
      'a:1',
      { protocol: 'grpc', ssl: { enabled: true, ca: '/etc/ca.pem' } },
      ['ssl.ca holds no certificate', 'not the name of a file'],
    ],
    ['an access key alone', 'a:1', { accessKey: 'k' }, ['accessKey', 'secretKey is not', 'set both']],
    ['a secret key alone', 'a:1', { secretKey: 'k' }, ['secretKey', 'accessKey is not', 'set both']],
    [
      'a producer group over gRPC',
      'a:1',
      { protocol: 'grpc', producerGroup: 'g' },
      ['producerGroup', 'leave it out'],
    ],
    [
      'compression over gRPC',
      'a:1',
      { protocol: 'grpc', compressOverBytes: 4096 },
      ['compressOverBytes is 4096', 'consumers of both protocols', 'leave it out'],
    ],
    [
      'delay levels over remoting',
      'a:1',
      { delayLevels: '1s' },
      ['delayLevels', 'messageDelayLevel', 'leave it out'],
    ],
    [
      'a delay level without unit',
      'a:1',
      { protocol: 'grpc', delayLevels: '1s 5' },
      ['delayLevels holds "5"', '1s 5s 1m'],
    ],
    [
      'a property out of bounds, by both its names',
      'a:1',
      { properties: { sendMsgTimeout: 5 } },
      ['sendTimeoutMs (properties.sendMsgTimeout) 5', '>= 100'],
    ],
    [
      'a property of the Java client that has no meaning here',
      'a:1',
      { properties: { instanceName: 'a' } },
      ['properties.instanceName', 'client of its own', 'remove it'],
    ],
    [
      'a property nobody knows',
      'a:1',
      { properties: { sendMsgTimout: 1 } },
      ['properties.sendMsgTimout is not known', 'sendMsgTimeout'],
    ],
    [
      'what a subscription says itself',
      'a:1',
      { properties: { messageModel: 'BROADCASTING' } },
      ['properties.messageModel', 'subscription'],
    ],
  ]
  for (const [what, address, settings, words] of refused) {
    test(`refuse ${what}, naming the field and the cure`, () => {
      assert.throws(
        () => parseSettings(address, settings),
        (error: Error) => {
          for (const word of words) assert.ok(error.message.includes(word), error.message)
          return 'code' in error && error.code === 'SETTINGS_INVALID'
        },
      )
    })
  }

  test('never repeat a secret key in the place of a property', () => {
    assert.throws(
      () => parseSettings('a:1', { properties: { secretKey: 'hunter2' } }),
      (error: Error) => error.message.includes('properties.secretKey') && !error.message.includes('hunter2'),
    )
  })

  test('never repeat a secret key that is not valid', () => {
    assert.throws(
      () => parseSettings('a:1', { accessKey: 'k', secretKey: ['hunter2'] }),
      (error: Error) => error.message.includes('secretKey') && !error.message.includes('hunter2'),
    )
  })
})
