import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createTopic, readTopic } from '../../helpers/kafka.js'
import { newName, operator, shared } from '../../helpers/operator.js'
import * as rocketmq from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'

test('produce', async (t) => {
  const { ok, refused } = await operator(t)

  await t.test('publishes each line, in order, with key, headers, partition and time', async () => {
    const topic = await createTopic(shared(), { partitions: 3 })
    const message = ['--key', 'k', '--header', 'a=1', '--header', 'a=2', '--header', 'b=x=y']
    const place = ['--partition', '2', '--timestamp', '2026-01-01T00:00:00Z']
    const printed = await ok(['produce', '--topic', topic, ...message, ...place], 'one\n二\r\n\nlast')
    assert.equal(printed, `4 messages are published to topic ${topic}.\n`)
    const read = await readTopic(shared(), topic, 4)
    assert.deepEqual(
      read.map(({ value }) => value?.toString()),
      ['one', '二', '', 'last'],
    )
    const [first] = read
    assert.deepEqual([first?.partition, first?.key?.toString(), first?.timestamp], [2, 'k', '1767225600000'])
    assert.deepEqual([first?.headers?.a, first?.headers?.b].flat().map(String), ['1', '2', 'x=y'])
  })

  await t.test('publishes a file as one message, with --raw byte for byte', async (t) => {
    const topic = await createTopic(shared())
    const folder = await mkdtemp(path.join(tmpdir(), 'produce-'))
    t.after(() => rm(folder, { recursive: true }))
    const bytes = Buffer.from([0, 10, 13, 255, 10])
    await writeFile(path.join(folder, 'message'), bytes)
    const printed = await ok(['produce', '--topic', topic, '--raw', '--file', path.join(folder, 'message')])
    assert.equal(printed, `Published to topic ${topic}: partition 0, offset 0.\n`)
    assert.deepEqual((await readTopic(shared(), topic, 1))[0]?.value, bytes)
  })

  await t.test('publishes a tombstone', async () => {
    const topic = await createTopic(shared(), { config: { 'cleanup.policy': 'compact' } })
    await ok(['produce', '--topic', topic, '--key', 'k', '--tombstone'])
    assert.equal((await readTopic(shared(), topic, 1))[0]?.value, null)
  })

  await t.test('leaves a row in the audit log under the request id that the message carries', async () => {
    const topic = await createTopic(shared())
    const receipt = Object(JSON.parse(await ok(['produce', '--topic', topic, '--json'], 'm\n')))
    const row = Object(JSON.parse(await ok(['audit', 'list', '--request-id', receipt.requestId, '--json'])))
    const { source, operation, destination, actor, status } = row
    assert.deepEqual(
      [source, operation, destination, actor, status],
      ['admin', 'publish', topic, os.userInfo().username, 'published'],
    )
    const [message] = await readTopic(shared(), topic, 1)
    assert.equal(String(message?.headers?.['x-request-id']), receipt.requestId)
  })

  await t.test('names the line that was refused', async () => {
    const topic = await createTopic(shared(), { config: { 'max.message.bytes': '1000' } })
    const { code, stderr } = await refused(['produce', '--topic', topic], `a\n${'x'.repeat(2000)}\n`)
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^MESSAGE_TOO_LARGE: line 2: .*max\.message\.bytes is 1000.*; 1 message is published/,
    )
  })

  await t.test('refuses what the kind of broker has no place for', async (t) => {
    const { refused } = await operator(t, { kind: 'rocketmq' })
    const { stderr } = await refused(['produce', '--topic', 'T', '--key', 'k'], 'm')
    assert.match(stderr, /^INPUT_INVALID: .*rocketmq have no key/)
  })
})

test('produce through an adapter with serializations', async (t) => {
  const adapter = ['--key-serialization', 'long', '--value-serialization', 'double']
  const { ok, refused } = await operator(t, { adapter })

  await t.test('makes the bytes of both, of a key on each line and a marker for null', async () => {
    const topic = await createTopic(shared())
    const lines = '9007199254740993:1.5\n:NaN\n1:-\n'
    await ok(['produce', '--topic', topic, '--key-separator', ':', '--null-marker', '-'], lines)
    const read = await readTopic(shared(), topic, 3)
    assert.deepEqual(
      read.map(({ key, value }) => [key?.toString('hex'), value?.toString('hex')]),
      [
        ['0020000000000001', '3ff8000000000000'],
        [undefined, '7ff8000000000000'],
        ['0000000000000001', undefined],
      ],
    )
  })

  await t.test(
    'names line, field, value and range of what does not fit, and sends nothing behind it',
    async () => {
      const topic = await createTopic(shared())
      const { code, stderr } = await refused(
        ['produce', '--topic', topic, '--key-separator', ':'],
        '1:1\nx:2\n3:3\n',
      )
      assert.equal(code, 1)
      assert.match(
        stderr,
        /^VALUE_NOT_SERIALIZABLE: line 2: key is "x": it must be a whole number from -9223372036854775808 .*; 1 message is published/,
      )
      assert.equal((await readTopic(shared(), topic, 1)).length, 1)
    },
  )

  await t.test('sends lines as they are with --raw', async () => {
    const topic = await createTopic(shared())
    await ok(['produce', '--topic', topic, '--raw', '--key', ''], Buffer.of(0xff, 0, 10))
    const [message] = await readTopic(shared(), topic, 1)
    assert.deepEqual([message?.key, message?.value], [Buffer.alloc(0), Buffer.of(0xff, 0)])
  })

  await t.test('names the line that has no key', async () => {
    const { stderr } = await refused(['produce', '--topic', newName(), '--key-separator', '\t'], 'x\n')
    assert.match(stderr, /^INPUT_INVALID: line 1: there is no key: write it as key, "\\t" and value/)
  })
})

test("produce skips what the adapter's module drops, and says so in the audit log", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'produce-'))
  t.after(() => rm(folder, { recursive: true }))
  const module = 'export const serialize = (value) => (value.test ? null : String(value.id))'
  await writeFile(path.join(folder, 'module.mjs'), module)
  const { ok } = await operator(t, {
    adapter: ['--value-serialization', 'custom', '--setting', 'valueModule=module.mjs'],
    env: { BPMN_RELAY_MODULES_FOLDER: folder },
  })
  const topic = await createTopic(shared())

  const printed = await ok(['produce', '--topic', topic], '{"id":1}\n{"test":true}\n{"id":2}\n')

  assert.equal(
    printed,
    `2 messages are published to topic ${topic}.\n1 message is skipped: the adapter's module drops it.\n`,
  )
  const values = (await readTopic(shared(), topic, 2)).map(({ value }) => String(value))
  assert.deepEqual(values, ['1', '2'])
  const rows = (await ok(['audit', 'list', '--json']))
    .trim()
    .split('\n')
    .map((line) => Object(JSON.parse(line)))
  const skipped = rows.filter(({ status }) => status === 'skipped')
  assert.deepEqual(
    skipped.map(({ receipt, request }) => [receipt, JSON.parse(request).message]),
    [[null, { test: true }]],
  )
})

test('produce waits for the turns that the rate limit of the adapter gives, of RocketMQ too', async (t) => {
  const { ok } = await operator(t, { kind: 'rocketmq', adapter: ['--setting', 'maxMessagesPerSecond=0.8'] })
  const { nameServer } = testServers().rocketmq
  const topic = await rocketmq.createTopic(nameServer, { queues: 1 })

  assert.equal(
    await ok(['produce', '--topic', topic], '1\n2\n3\n'),
    `3 messages are published to topic ${topic}.\n`,
  )

  const read = await rocketmq.readTopic(nameServer, topic, 3)
  assert.deepEqual(
    read.map(({ body }) => String(body)),
    ['1', '2', '3'],
  )
  const times = read.map(({ storedAt }) => storedAt)
  // Two intervals of 1.25 s, each longer than a job would wait for its turn in the worker.
  assert.ok(Math.max(...times) - Math.min(...times) >= 2400, `${times}`)
})
