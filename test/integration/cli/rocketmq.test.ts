import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { newGroup } from '../../helpers/consuming.js'
import { operator } from '../../helpers/operator.js'
import { createTopic, readTopic } from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'

const shared = () => testServers().rocketmq.nameServer
const newName = () => `test-${randomUUID()}`

test('a topic of RocketMQ', async (t) => {
  const { ok, json, refused } = await operator(t, { kind: 'rocketmq', address: shared() })
  const topic = newName()

  await t.test('is made with a type, listed and described', async () => {
    const made = await ok(['topic', 'create', topic, '--partitions', '2', '--type', 'fifo'])
    assert.equal(made, `Topic ${topic} is made.\n`)
    assert.match(await ok(['topic', 'list']), new RegExp(`^${topic} +FIFO +2$`, 'm'))
    const text = await ok(['topic', 'describe', topic])
    assert.match(text, new RegExp(`^Topic ${topic}, type FIFO$`, 'm'))
    assert.match(text, /^ +1 +broker-a +0 +0 +- +read,write$/m, 'queue, broker, first and end')
    assert.match(text, /^message\.type +FIFO +topic$/m)
    assert.equal(Object(await json(['topic', 'describe', topic])).type, 'FIFO')
  })

  const refusals: [why: string, args: string[], expected: RegExp][] = [
    ['exists already', ['create', topic], /^NAME_TAKEN: there is a topic \S+ .*already/],
    [
      'has an unknown type',
      ['create', newName(), '--type', 'odd'],
      /choices are normal, fifo, delay, transaction/,
    ],
    [
      'has replicas',
      ['create', newName(), '--replication-factor', '2'],
      /^NOT_SUPPORTED: .*copies whole brokers/,
    ],
    ['has a wrong name', ['create', 'no blanks'], /^TOPIC_INVALID: .*illegal characters.*use 1 to 127/],
    [
      'has an unknown config',
      ['create', newName(), '--config', 'odd=1'],
      /^BROKER_REFUSED: .*unsupported key: odd/,
    ],
    [
      'has a wrong permission',
      ['alter', topic, '--config', 'perm=all'],
      /^INPUT_INVALID: config perm is "all": use/,
    ],
    [
      'would lose queues',
      ['alter', topic, '--partitions', '1'],
      /^INPUT_INVALID: .*has 2 queues on broker-a/,
    ],
    ['is not there, to be described', ['describe', 'absent'], /^TOPIC_UNKNOWN: topic absent .*topic list/],
    ['is not there, to be altered', ['alter', 'absent', '--partitions', '9'], /^TOPIC_UNKNOWN: topic absent/],
    ['is not there, to be deleted', ['delete', 'absent', '--yes'], /^TOPIC_UNKNOWN: topic absent/],
    ["is RocketMQ's own", ['delete', 'TBW102', '--yes'], /^BROKER_REFUSED: .*conflict with system topic/],
  ]
  await t.test('is refused, with the reason and a cure, that', async (t) => {
    for (const [why, args, expected] of refusals) {
      await t.test(why, async () => {
        assert.match((await refused(['topic', ...args])).stderr, expected)
      })
    }
  })
})

test('messages of RocketMQ', async (t) => {
  const { ok, json, refused } = await operator(t, { kind: 'rocketmq', address: shared() })
  const topic = await createTopic(shared(), { queues: 1 })
  const group = newGroup()

  await t.test('are published with tag, keys and properties', async () => {
    const rest = ['--tag', 'created', '--keys', 'k1', 'k2', '--header', 'colour=red']
    const printed = await ok(['produce', '--topic', topic, ...rest], 'one\n')
    assert.match(
      printed,
      new RegExp(`^Published to topic ${topic}: message [0-9A-F]{32}, queue 0, offset 0\\.$`, 'm'),
    )
    const [read] = await readTopic(shared(), topic, 1)
    const { TAGS, KEYS, colour } = read?.properties ?? {}
    assert.deepEqual([TAGS, KEYS, colour], ['created', 'k1 k2', 'red'])
  })

  await t.test('are printed as JSON, with the broker, the id and the tag', async () => {
    await ok(['produce', '--topic', topic, '--tag', 'paid'], 'two\n')
    const [line = ''] = (
      await ok(['consume', '--topic', topic, '--tag', 'created', '--format', 'json'])
    ).split('\n')
    const { partition, offset, broker, tag, key, headers, value } = JSON.parse(line)
    assert.deepEqual(
      { partition, offset, broker, tag, key, colour: headers.colour, value },
      {
        partition: 0,
        offset: '0',
        broker: 'broker-a',
        tag: 'created',
        key: 'k1 k2',
        colour: 'red',
        value: 'one',
      },
    )
    assert.equal(await ok(['consume', '--topic', topic, '--tag', 'paid', 'created']), 'one\ntwo\n')
  })

  await t.test('are shown whole: place, times, tag, keys, properties and body', async () => {
    const [first] = Object(await json(['message', 'list', '--topic', topic]))
    const text = await ok(['message', 'get', first.messageId, '--topic', topic])
    assert.match(text, new RegExp(`^Message ${first.messageId}$`, 'm'))
    assert.match(text, new RegExp(`^ +place +topic ${topic}, queue 0 of broker-a, offset 0$`, 'm'))
    assert.match(text, /^ +tag +created$/m)
    assert.match(text, /^ +keys +k1 k2$/m)
    assert.match(text, /^ +property +colour=red$/m)
    assert.match(text, /^ +body +3 bytes\none$/m)
    assert.match(await ok(['message', 'list', '--topic', topic, '--key', 'k2']), /^one$/m)
    assert.match(await ok(['message', 'list', '--topic', topic, '--until', '1h']), /^No such messages/)
    assert.match(await ok(['message', 'list', '--topic', topic, '--max', '1']), /--max 1 is reached/)
  })

  const refusals: [why: string, args: string[], expected: RegExp][] = [
    [
      'an unknown id',
      ['message', 'get', 'absent', '--topic', topic],
      /^NOT_FOUND: there is no message absent/,
    ],
    ['an unknown topic', ['message', 'get', 'x', '--topic', 'absent'], /^TOPIC_UNKNOWN: topic absent/],
    ['reading an unknown topic', ['consume', '--topic', 'absent'], /^TOPIC_UNKNOWN: topic absent/],
    [
      'an unknown broker',
      ['consume', '--topic', topic, '--broker', 'x'],
      /^PARTITION_UNKNOWN: .*0 of broker-a/,
    ],
    ['an unknown group', ['group', 'describe', group], /^NOT_FOUND: .*group list/],
    ['deleting an unknown group', ['group', 'delete', group, '--yes'], /^NOT_FOUND: .*group list/],
    ['ACLs', ['acl', 'list'], /^NOT_SUPPORTED: adapters of kind rocketmq cannot list ACLs/],
  ]
  await t.test('are refused by name for', async (t) => {
    for (const [why, args, expected] of refusals) {
      await t.test(why, async () => {
        assert.match((await refused(args)).stderr, expected)
      })
    }
  })
})

test('the brokers of RocketMQ are shown with their roles and versions', async (t) => {
  const { ok } = await operator(t, { kind: 'rocketmq', address: shared() })
  assert.match(await ok(['cluster', 'describe']), /^broker-a +127\.0\.0\.1:\d+ +master +5\.\d+\.\d+$/m)
})

describe('through a gRPC proxy', () => {
  test('messages are published, and all else is refused with the cure', async (t) => {
    const { proxyEndpoint: address } = testServers().rocketmq
    const { ok, refused } = await operator(t, {
      kind: 'rocketmq',
      address,
      adapter: ['--setting', 'protocol=grpc'],
    })
    const topic = await createTopic(shared())
    assert.match(await ok(['adapter', 'test', 'broker']), /works/)
    assert.match(
      await ok(['produce', '--topic', topic, '--keys', 'k'], 'm'),
      /message [0-9A-F]{32}, offset 0\.$/m,
    )
    for (const command of [
      ['topic', 'list'],
      ['group', 'list'],
      ['consume', '--topic', topic],
      ['message', 'list', '--topic', topic],
    ]) {
      const { stderr } = await refused(command)
      assert.match(
        stderr,
        /^NOT_SUPPORTED: .* use an adapter with protocol "remoting", whose address is the name/,
      )
    }
  })
})
