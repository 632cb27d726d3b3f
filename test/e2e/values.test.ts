import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import * as rocketmq from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'

test('What a task publishes', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const { nameServer } = testServers().rocketmq
  const adapter = await relay.adapter({ kind: 'kafka' })
  const rocketmqAdapter = await relay.adapter({ kind: 'rocketmq' })
  await relay.startWorker()

  /** The one record a task leaves in a topic of its own. */
  async function published(
    inputs: Record<string, string>,
    variables = '{}',
    partitions = 1,
  ): Promise<kafka.ReadMessage> {
    const topic = await kafka.createTopic(bootstrapServers, { partitions })
    const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, ...inputs } })
    await relay.processes.runExactly(processId, variables)
    const [record, ...others] = await kafka.readTopic(bootstrapServers, topic, 1)
    assert.ok(record)
    assert.equal(others.length, 0)
    return record
  }

  const values: [what: string, json: string, text: string][] = [
    ['the largest 64-bit integer', '9223372036854775807', '9223372036854775807'],
    ['the smallest 64-bit integer', '-9223372036854775808', '-9223372036854775808'],
    ['an integer that no double can hold', '9007199254740993', '9007199254740993'],
    ['twenty digits in a text', '"12345678901234567890"', '12345678901234567890'],
    ['a decimal', '100.5', '100.5'],
    ['text of several scripts', '"Zürich 北京 😀"', 'Zürich 北京 😀'],
    ['a NUL', String.raw`"a\u0000b"`, 'a\0b'],
    ['a text of 900 KB', `"${'é'.repeat(450 * 1024)}"`, 'é'.repeat(450 * 1024)],
    ['an empty text', '""', ''],
    ['true', 'true', 'true'],
    [
      'an object with exact digits inside',
      '{"id":9007199254740993,"b":[1,{}]}',
      '{"id":9007199254740993,"b":[1,{}]}',
    ],
  ]
  for (const [what, json, text] of values) {
    await t.test(`${what} arrives as it was given`, async () => {
      const record = await published({ message: '=given' }, `{"given":${json}}`)
      assert.ok(String(record.value) === text, String(record.value).slice(0, 100))
    })
  }

  await t.test('half a surrogate pair arrives as the question mark the engine makes of it', async () => {
    const record = await published({ message: '=given' }, String.raw`{"given":"a\ud800b"}`)
    assert.equal(String(record.value), 'a?b')
  })

  for (const protocol of ['remoting', 'grpc'] as const) {
    await t.test(`a text of 900 KB arrives over RocketMQ ${protocol}`, async () => {
      const servers = testServers().rocketmq
      const address = { remoting: servers.nameServer, grpc: servers.proxyEndpoint }[protocol]
      const { id: adapterId } = await relay.adapter({ kind: 'rocketmq', address, settings: { protocol } })
      const topic = await rocketmq.createTopic(nameServer)
      const inputs = { adapterId, topic, message: '=given' }
      const text = '北'.repeat(300 * 1024)
      await relay.processes.run(await relay.deploy('rocketmq', { inputs }), { given: text })
      const [message] = await rocketmq.readTopic(nameServer, topic, 1)
      assert.ok(String(message?.body) === text)
    })
  }

  await t.test('without a message the task’s variables are published, its inputs left out', async () => {
    const record = await published({ key: 'k' }, '{"orderId":9007199254740993,"tags":["a","b"]}')
    const text = String(record.value)
    assert.match(text, /"orderId":9007199254740993[,}]/)
    assert.deepEqual(Object.keys(JSON.parse(text)).sort(), ['orderId', 'tags'])
  })

  await t.test('null as message is a tombstone with its key', async () => {
    const record = await published({ message: '=null', key: 'gone' })
    assert.deepEqual([record.value, String(record.key)], [null, 'gone'])
  })

  await t.test('an explicit partition wins over the key', async () => {
    for (const partition of [0, 1, 2]) {
      const record = await published({ message: 'm', key: 'same', partition: `=${partition}` }, '{}', 3)
      assert.equal(record.partition, partition)
    }
  })

  await t.test('null as message is refused for RocketMQ', async () => {
    const topic = await rocketmq.createTopic(nameServer)
    const inputs = { adapterId: rocketmqAdapter.id, topic, message: '=null' }
    const key = await relay.processes.start(await relay.deploy('rocketmq', { inputs }))
    const [row] = await relay.audit(key)
    const failure = await relay.gateway.accepted('fail', row?.job_key)
    assert.equal(failure.retries, 0)
    assert.match(failure.message, /message is null.*give it one/)
  })
})
