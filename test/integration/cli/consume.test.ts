import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { ended } from '../../helpers/cli.js'
import { createTopic, kafkaConnection, publishInTransaction, withAdmin } from '../../helpers/kafka.js'
import { newName, operator, shared } from '../../helpers/operator.js'
import { waitFor } from '../../helpers/wait-for.js'

test('consume', async (t) => {
  const { ok, refused, start } = await operator(t)

  /** A topic whose two partitions hold three messages each, an hour apart. */
  async function filledTopic(t: TestContext): Promise<string> {
    const topic = await createTopic(shared(), { partitions: 2 })
    const connection = kafkaConnection(t, shared())
    for (const hour of [1, 2, 3]) {
      const timestamp = Date.parse(`2026-01-01T0${hour}:00:00Z`)
      for (const partition of [0, 1]) {
        const value = Buffer.from(`${partition}-${hour}`)
        await connection.publish({ topic, partition, timestamp, value, headers: {}, requestId: randomUUID() })
      }
    }
    return topic
  }

  await t.test('prints what is there, from any position, and ends', async (t) => {
    const topic = await filledTopic(t)
    const read = async (...args: string[]) =>
      (await ok(['consume', '--topic', topic, ...args])).split('\n').filter(Boolean).sort()
    assert.deepEqual(await read(), ['0-1', '0-2', '0-3', '1-1', '1-2', '1-3'])
    assert.deepEqual(await read('--partition', '1'), ['1-1', '1-2', '1-3'])
    assert.deepEqual(await read('--partition', '0', '--from', '1', '--max', '1'), ['0-2'])
    assert.deepEqual(await read('--from', '2026-01-01T02:30:00Z'), ['0-3', '1-3'])
    assert.deepEqual(await read('--partition', '0', '--from', '3'), [])
  })

  await t.test('prints JSON that holds everything about a message', async () => {
    const topic = await createTopic(shared())
    await ok(
      ['produce', '--topic', topic, '--key', 'k', '--header', 'a=1', '--timestamp', '1767225600000'],
      'v',
    )
    const { headers, ...rest } = Object(
      JSON.parse(await ok(['consume', '--topic', topic, '--format', 'json'])),
    )
    assert.deepEqual(rest, {
      topic,
      partition: 0,
      offset: '0',
      timestamp: 1_767_225_600_000,
      key: 'k',
      value: 'v',
    })
    assert.equal(headers.a, '1')
  })

  await t.test(
    'ends behind the last message even where the log ends with the mark of a transaction',
    async () => {
      const topic = await createTopic(shared())
      await publishInTransaction(shared(), topic, 'committed')
      assert.equal(await ok(['consume', '--topic', topic]), 'committed\n')
    },
  )

  await t.test('follows what comes from now on, and leaves no group behind', async (t) => {
    const topic = await filledTopic(t)
    const readers = async () =>
      (await withAdmin(shared(), (admin) => admin.listGroups())).groups
        .map(({ groupId }) => groupId)
        .filter((group) => group.startsWith('bpmn-relay-consume-'))
    const connection = kafkaConnection(t, shared())
    const following = start(['consume', '--topic', topic, '--follow', '--max', '2'])
    const output = ended(following)
    await waitFor('two messages to be seen', async () => {
      await connection.publish({ topic, value: Buffer.from('new'), headers: {}, requestId: randomUUID() })
      return following.exitCode !== null
    })
    const { code, stdout } = await output
    assert.deepEqual([code, stdout], [0, 'new\nnew\n'])
    // Others may be reading at this moment; what is there now must not stay.
    const left = await readers()
    await waitFor('the groups to be gone', async () => {
      const still = await readers()
      return !left.some((group) => still.includes(group))
    })
  })

  await t.test('ends a follower at Ctrl-C as what was wanted', async (t) => {
    const topic = await filledTopic(t)
    const following = start(['consume', '--topic', topic, '--follow', '--from', 'earliest'])
    const output = ended(following)
    following.stdout?.once('data', () => following.kill('SIGINT'))
    assert.equal((await output).code, 0)
  })

  const refusals: [what: string, args: string[], code: number, expected: RegExp][] = [
    [
      'an offset the partition has not',
      ['--partition', '0', '--from', '9'],
      1,
      /^INPUT_INVALID: offset 9 is not in/,
    ],
    ['a partition the topic has not', ['--partition', '7'], 1, /^PARTITION_UNKNOWN: .*use 0 to 0/],
    ['an offset of all partitions', ['--from', '5'], 2, /add --partition/],
    ['the latest without waiting for it', ['--from', 'latest'], 2, /add --follow/],
    ['a format nobody knows', ['--format', 'yaml'], 2, /Give value, json/],
  ]
  await t.test('refuses', async (t) => {
    const topic = await createTopic(shared())
    for (const [what, args, code, expected] of refusals) {
      await t.test(what, async () => {
        const result = await refused(['consume', '--topic', topic, ...args])
        assert.equal(result.code, code)
        assert.match(result.stderr, expected)
      })
    }
  })

  await t.test('refuses a topic that is not there, and does not make it', async () => {
    const topic = newName()
    assert.match((await refused(['consume', '--topic', topic])).stderr, /^TOPIC_UNKNOWN: /)
    assert.doesNotMatch(await ok(['topic', 'list']), new RegExp(topic))
  })
})

test('consume through an adapter with serializations', async (t) => {
  const adapter = ['--key-serialization', 'integer', '--value-serialization', 'json']
  const { run, ok } = await operator(t, { adapter })
  const topic = await createTopic(shared())
  const connection = kafkaConnection(t, shared())
  for (const value of ['{\n"id": 9007199254740993}', 'no JSON', null, '2']) {
    await connection.publish({
      ...{ topic, requestId: randomUUID(), headers: {}, key: Buffer.of(0, 0, 0, 7) },
      value: value === null ? null : Buffer.from(value),
    })
  }
  const unread = '{"base64":"bm8gSlNPTg=="}'

  await t.test('reads keys and values, shows what it cannot read with the reason, and goes on', async () => {
    const { code, stdout, stderr } = await run(['consume', '--topic', topic, '--format', '%k %s\\n'])
    assert.deepEqual([code, stdout], [0, `7 { "id": 9007199254740993}\n7 ${unread}\n7 \n7 2\n`])
    const reason = `${topic} [0] 1: VALUE_NOT_DESERIALIZABLE: message is no JSON`
    assert.ok(stderr.startsWith(reason) && stderr.trimEnd().split('\n').length === 1, stderr)
  })

  await t.test('tells the reason in JSON, too', async () => {
    const lines = (await ok(['consume', '--topic', topic, '--format', 'json'])).trimEnd().split('\n')
    assert.ok(lines[0]?.endsWith('"key":7,"value":{ "id": 9007199254740993}}'), lines[0])
    const { value, error } = Object(JSON.parse(lines[1] ?? ''))
    assert.deepEqual([value, error.code], [JSON.parse(unread), 'VALUE_NOT_DESERIALIZABLE'])
    assert.equal(lines.length, 4)
  })

  await t.test('prints the bytes as they are with --raw, and as base64 when asked for', async () => {
    const values = ['{\n"id": 9007199254740993}', 'no JSON', 'null', '2']
    assert.equal(await ok(['consume', '--topic', topic, '--raw']), `${values.join('\n')}\n`)
    const one = ['--partition', '0', '--from', '3', '--format', '%k %s']
    assert.equal(await ok(['consume', '--topic', topic, '--base64', ...one]), 'AAAABw== Mg==')
  })
})
