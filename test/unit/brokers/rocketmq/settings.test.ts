import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseSettings } from '../../../../src/brokers/rocketmq/settings.js'

describe('RocketMQ settings', () => {
  test('are complete without any: name servers, 4 MiB, three attempts', () => {
    const settings = parseSettings('a:9876; b:9876', {})

    assert.deepEqual(settings, {
      protocol: 'remoting',
      addresses: ['a:9876', 'b:9876'],
      sslEnabled: false,
      producerGroup: 'bpmn-relay',
      sendTimeoutMs: 3000,
      connectTimeoutMs: 3000,
      retries: 2,
      maxMessageBytes: 4 * 1024 * 1024,
    })
  })

  test('take numbers and switches as text, as an environment variable gives them', () => {
    const settings = parseSettings('a:8081', { protocol: 'grpc', retries: '5', sslEnabled: 'true' })

    assert.deepEqual([settings.retries, settings.sslEnabled], [5, true])
  })

  const refused: Array<[string, string, Record<string, unknown>, string[]]> = [
    ['an empty address', '', {}, ['address is empty', '10.0.0.1:9876']],
    ['an address without port', 'names', {}, ['address "names"', 'host:port']],
    ['an address list with commas', 'a:1,b:2', {}, ['address "a:1,b:2"', 'host:port;host:port']],
    ['a port that does not exist', 'a:70000', {}, ['address "a:70000"']],
    ['two proxies', 'a:8081;b:8081', { protocol: 'grpc' }, ['2 proxies', 'load balancer']],
    ['an unknown protocol', 'a:1', { protocol: 'http' }, ['protocol is "http"', '"remoting" or "grpc"']],
    ['an unknown setting', 'a:1', { retires: 3 }, ['setting retires is unknown', 'retries']],
    ['a number out of bounds', 'a:1', { retries: 99 }, ['setting retries is 99', '10']],
    ['TLS over remoting', 'a:1', { sslEnabled: true }, ['sslEnabled', 'remoting', 'use protocol "grpc"']],
    ['an access key alone', 'a:1', { accessKey: 'k' }, ['accessKey', 'secretKey is not', 'set both']],
    [
      'a producer group over gRPC',
      'a:1',
      { protocol: 'grpc', producerGroup: 'g' },
      ['producerGroup', 'leave it out'],
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

  test('never repeat a secret key that is not valid', () => {
    assert.throws(
      () => parseSettings('a:1', { accessKey: 'k', secretKey: ['hunter2'] }),
      (error: Error) => error.message.includes('secretKey') && !error.message.includes('hunter2'),
    )
  })
})
