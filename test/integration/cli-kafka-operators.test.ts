import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext, test } from 'node:test'
import { startKafka } from '../../src/stack/kafka.js'
import { commandLine, ended } from '../helpers/cli.js'
import {
  consumeInGroup,
  createTopic,
  kafkaConnection,
  publishInTransaction,
  readTopic,
  withAdmin,
} from '../helpers/kafka.js'
import { operator } from '../helpers/operator-cli.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { deadAddress } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'

const shared = () => testServers().kafka.bootstrapServers
const newName = () => `test-${randomUUID()}`

describe('adapter', () => {
  it('is tested by a real connection', async (t) => {
    const { ok } = await operator(t)
    assert.match(
      await ok(['adapter', 'test', 'broker']),
      /^Adapter "broker" works: \S+ answered within \d+ ms/,
    )
  })

  it('of RocketMQ is tested likewise', async (t) => {
    const { ok } = await operator(t, { kind: 'rocketmq', address: testServers().rocketmq.nameServer })
    assert.match(await ok(['adapter', 'test', 'broker']), /works/)
  })

  it('that cannot connect is told why', async (t) => {
    const { refused } = await operator(t, { address: await deadAddress() })
    const { code, stderr } = await refused(['adapter', 'test', 'broker'])
    assert.equal(code, 1)
    assert.match(stderr, /^BROKER_UNREACHABLE: Kafka at 127\.0\.0\.1:\d+ failed while .*ECONNREFUSED/)
  })

  it('that is disabled holds its jobs until it is enabled again', async (t) => {
    const relay = await createRelay(t)
    const cli = await commandLine(t)
    const { name } = await relay.adapter({ kind: 'kafka' })
    const turn = async (verb: 'enable' | 'disable') => {
      const { stdout } = await cli.run(['adapter', verb, name], { env: { DATABASE_URL: relay.database.url } })
      assert.match(stdout, new RegExp(`^Adapter "${name}" is ${verb}d`))
    }
    const topic = await createTopic(shared())
    await turn('disable')
    await relay.startWorker()
    const processId = await relay.deploy('kafka', { inputs: { adapterId: name, topic, message: 'm' } })
    const running = relay.processes.run(processId)
    const held = await relay.gateway.accepted('fail')
    assert.match(held.message, /^ADAPTER_DISABLED: /)
    await turn('enable')
    await running
    assert.equal((await readTopic(shared(), topic, 1)).length, 1)
  })

  it('that is disabled publishes nothing for operators either', async (t) => {
    const { ok, refused } = await operator(t)
    await ok(['adapter', 'disable', 'broker'])
    const { stderr } = await refused(['produce', '--topic', newName()], 'm')
    assert.match(stderr, /^ADAPTER_DISABLED: .*adapter enable/)
  })
})

describe('cluster describe', () => {
  it('shows the brokers and the controller', async (t) => {
    const { json, ok } = await operator(t)
    const [host] = shared().split(',')
    assert.match(await ok(['cluster', 'describe']), new RegExp(`^1 +${host} +yes$`, 'm'))
    const { clusterId, ...rest } = Object(await json(['cluster', 'describe']))
    assert.match(clusterId, /^\S{16,}$/)
    assert.deepEqual(rest, { controller: '1', brokers: [{ id: '1', address: host }] })
  })
})

test('a topic', async (t) => {
  const { ok, json, refused } = await operator(t)

  await t.test('is made as ordered, listed and described', async () => {
    const topic = newName()
    const order = ['--partitions', '2', '--replication-factor', '1', '--config', 'retention.ms=600000']
    assert.equal(await ok(['topic', 'create', topic, ...order]), `Topic ${topic} is made.\n`)
    assert.match(await ok(['topic', 'list']), new RegExp(`^${topic} +2 +1$`, 'm'))
    const text = await ok(['topic', 'describe', topic])
    assert.match(text, /^ +1 +1 +1 +1$/m, 'partition, leader, replicas and ISR')
    assert.match(text, /^retention\.ms +600000 +topic$/m)
    assert.deepEqual(Object(await json(['topic', 'describe', topic])).partitions[0], {
      partition: 0,
      leader: '1',
      replicas: ['1'],
      inSyncReplicas: ['1'],
    })
  })

  await t.test('gets what the brokers are configured for where nothing is ordered', async () => {
    const topic = newName()
    await ok(['topic', 'create', topic])
    assert.match(await ok(['topic', 'describe', topic]), /No configs are set/)
  })

  await t.test('is altered in what is named, and keeps the rest', async () => {
    const topic = await createTopic(shared(), {
      config: { 'retention.ms': '600000', 'segment.ms': '700000' },
    })
    const changes = [
      '--partitions',
      '3',
      '--config',
      'cleanup.policy=compact',
      '--delete-config',
      'segment.ms',
    ]
    await ok(['topic', 'alter', topic, ...changes])
    const { partitions, configs } = Object(await json(['topic', 'describe', topic]))
    assert.equal(partitions.length, 3)
    const overridden: { name: string; value: string; isOverridden: boolean }[] = configs
    assert.deepEqual(
      overridden.filter(({ isOverridden }) => isOverridden).map(({ name, value }) => [name, value]),
      [
        ['cleanup.policy', 'compact'],
        ['retention.ms', '600000'],
      ],
    )
  })

  await t.test('is not changed at all when one of the changes is refused', async () => {
    const topic = await createTopic(shared(), { partitions: 2 })
    await refused(['topic', 'alter', topic, '--partitions', '1', '--config', 'retention.ms=1000'])
    assert.match(await ok(['topic', 'describe', topic]), /No configs are set/)
  })

  await t.test('is deleted when told so', async () => {
    const topic = await createTopic(shared())
    assert.equal(await ok(['topic', 'delete', topic, '--yes']), `Topic ${topic} is deleted.\n`)
    await waitFor('the topic to be gone', async () => {
      const topics: { topic: string }[] = Object(await json(['topic', 'list']))
      return !topics.some((each) => each.topic === topic)
    })
  })

  await t.test('is not deleted unasked where there is no terminal', async () => {
    const { code, stderr } = await refused(['topic', 'delete', newName()])
    assert.equal(code, 2)
    assert.match(stderr, /add --yes/)
  })

  await t.test('changes stand in the audit log, with who made them, refused ones too', async () => {
    const topic = newName()
    await ok(['topic', 'create', topic, '--partitions', '2'])
    await refused(['topic', 'alter', topic, '--partitions', '1'])
    const lines = (await ok(['audit', 'list', '--json'])).trim().split('\n')
    const rows = lines.map((line) => Object(JSON.parse(line))).filter((row) => row.destination === topic)
    const { username } = os.userInfo()
    assert.deepEqual(
      rows.map(({ source, operation, destination, actor, adapterName, status, errorCode }) => [
        source,
        operation,
        destination,
        actor,
        adapterName,
        status,
        errorCode,
      ]),
      [
        ['admin', 'topic.alter', topic, username, 'broker', 'rejected', 'BROKER_REFUSED'],
        ['admin', 'topic.create', topic, username, 'broker', 'done', null],
      ],
    )
    assert.deepEqual(JSON.parse(rows[1].request), { partitions: 2, configs: {} })
  })

  const refusals: [why: string, args: (topic: string) => string[], expected: RegExp][] = [
    ['exists already', (topic) => ['create', topic], /^NAME_TAKEN: there is a topic \S+ .*already/],
    [
      'wants more replicas than there are brokers',
      () => ['create', newName(), '--replication-factor', '3'],
      /^BROKER_REFUSED: .*Replication-factor is invalid: use at most/,
    ],
    ['has a name Kafka does not take', () => ['create', 'no blanks'], /^TOPIC_INVALID: .*letters, digits/],
    [
      'has a config nobody knows',
      () => ['create', newName(), '--config', 'nonsense=1'],
      /^BROKER_REFUSED: .*Configuration is invalid: correct/,
    ],
    [
      'would get fewer partitions',
      (topic) => ['alter', topic, '--partitions', '1'],
      /^BROKER_REFUSED: .*Number of partitions is invalid: .*only grow/,
    ],
    [
      'is not there, to be altered',
      () => ['alter', 'absent', '--partitions', '9'],
      /^TOPIC_UNKNOWN: topic absent/,
    ],
    ['is not there, to be described', () => ['describe', 'absent'], /^TOPIC_UNKNOWN: .*topic list/],
    ['is not there, to be deleted', () => ['delete', 'absent', '--yes'], /^TOPIC_UNKNOWN: topic absent/],
    ['is to be altered in nothing', (topic) => ['alter', topic], /nothing to change: give --partitions/],
  ]
  await t.test('is refused, with the reason of the broker and a cure, that', async (t) => {
    const topic = await createTopic(shared(), { partitions: 2 })
    for (const [why, args, expected] of refusals) {
      await t.test(why, async () => {
        assert.match((await refused(['topic', ...args(topic)])).stderr, expected)
      })
    }
  })
})

test('a consumer group', async (t) => {
  const { ok, json, refused } = await operator(t)

  await t.test('shows how far it has read and how far it lags behind', async () => {
    const [topic, group] = [await createTopic(shared()), newName()]
    await ok(['produce', '--topic', topic], '1\n2\n3\n')
    await withAdmin(shared(), (admin) =>
      admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '1' }] }),
    )
    assert.match(await ok(['group', 'list']), new RegExp(`^${group} +Empty +0$`, 'm'))
    assert.match(await ok(['group', 'describe', group]), new RegExp(`^${topic} +0 +1 +3 +2 +- +-$`, 'm'))
    assert.deepEqual(await json(['group', 'describe', group]), {
      group,
      state: 'Empty',
      members: [],
      partitions: [{ topic, partition: 0, committedOffset: '1', endOffset: '3', lag: '2', memberId: null }],
    })
  })

  await t.test('shows its members, and is deleted only once they have left', async (t) => {
    const topic = await createTopic(shared())
    const consumer = await consumeInGroup(t, shared(), topic)
    const { group, clientId } = consumer
    const described = await ok(['group', 'describe', group])
    assert.match(described, new RegExp(`^Group ${group}, state Stable, members 1`))
    assert.match(described, new RegExp(`^${topic} +0 .*${clientId} +127\\.0\\.0\\.1$`, 'm'))
    const { stderr } = await refused(['group', 'delete', group, '--yes'])
    assert.match(stderr, /^BROKER_REFUSED: .*The group is not empty: stop its consumers first/)
    await consumer.leave()
    assert.equal(await ok(['group', 'delete', group, '--yes']), `Consumer group ${group} is deleted.\n`)
  })

  await t.test('that is not there can be neither described nor deleted', async () => {
    assert.match((await refused(['group', 'describe', 'absent'])).stderr, /^NOT_FOUND: .*group list/)
    assert.match((await refused(['group', 'delete', 'absent', '--yes'])).stderr, /^NOT_FOUND: /)
  })
})

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

  await t.test('publishes a file as one message, byte for byte', async (t) => {
    const topic = await createTopic(shared())
    const folder = await mkdtemp(path.join(tmpdir(), 'produce-'))
    t.after(() => rm(folder, { recursive: true }))
    const bytes = Buffer.from([0, 10, 13, 255, 10])
    await writeFile(path.join(folder, 'message'), bytes)
    const printed = await ok(['produce', '--topic', topic, '--file', path.join(folder, 'message')])
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
    const { refused } = await operator(t, { kind: 'rocketmq', address: testServers().rocketmq.nameServer })
    const { stderr } = await refused(['produce', '--topic', 'T', '--key', 'k'], 'm')
    assert.match(stderr, /^INPUT_INVALID: .*rocketmq have no key/)
  })
})

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
    const groups = async () => (await withAdmin(shared(), (admin) => admin.listGroups())).groups.length
    const groupsBefore = await groups()
    const connection = kafkaConnection(t, shared())
    const following = start(['consume', '--topic', topic, '--follow', '--max', '2'])
    const output = ended(following)
    await waitFor('two messages to be seen', async () => {
      await connection.publish({ topic, value: Buffer.from('new'), headers: {}, requestId: randomUUID() })
      return following.exitCode !== null
    })
    const { code, stdout } = await output
    assert.deepEqual([code, stdout], [0, 'new\nnew\n'])
    assert.equal(await groups(), groupsBefore)
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

test('an ACL', async (t) => {
  const { refused } = await operator(t)

  await t.test('is refused where the brokers have no authorizer', async () => {
    const { stderr } = await refused(['acl', 'list'])
    assert.match(stderr, /^BROKER_REFUSED: .*Security features are disabled: set authorizer\.class\.name/)
  })

  await t.test('says on what is missing', async () => {
    const { code, stderr } = await refused(['acl', 'create', '--principal', 'User:a', '--operation', 'read'])
    assert.equal(code, 2)
    assert.match(stderr, /give --topic, --group, --transactional-id or --cluster/)
  })
})

test('at a broker with an authorizer that forbids to delete topics', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'acl-kafka-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const kafka = await startKafka(
    { folder, onProgress: () => undefined },
    {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'allow.everyone.if.no.acl.found': true,
      'delete.topic.enable': false,
    },
  )
  t.after(() => kafka.stop())
  const { ok, json, refused } = await operator(t, { address: kafka.bootstrapServers })

  await t.test('ACLs are made, listed by what they are about, and deleted', async () => {
    const alice = ['--principal', 'User:alice']
    assert.equal(
      await ok(['acl', 'create', ...alice, '--operation', 'read', 'describe', '--topic', 'orders']),
      'ACL is made: allow User:alice to read on topic orders from *.\n' +
        'ACL is made: allow User:alice to describe on topic orders from *.\n',
    )
    const deny = ['--operation', 'all', '--group', 'shop-', '--pattern', 'prefixed', '--permission', 'deny']
    await ok(['acl', 'create', ...alice, ...deny, '--host', '10.0.0.1'])
    assert.match(
      await ok(['acl', 'list', '--topic', 'orders']),
      /^User:alice +allow +describe +topic +orders +literal +\*\nUser:alice +allow +read +topic +orders/m,
    )
    assert.deepEqual(await json(['acl', 'list', '--group', 'shop-']), [
      {
        principal: 'User:alice',
        host: '10.0.0.1',
        resourceName: 'shop-',
        operation: 'all',
        permission: 'deny',
        resourceType: 'group',
        pattern: 'prefixed',
      },
    ])
    assert.equal(await ok(['acl', 'delete', ...alice, '--topic', 'orders', '--yes']), 'ACLs deleted: 2.\n')
    assert.equal(await ok(['acl', 'list', '--topic', 'orders']), 'No ACLs match.\n')
    assert.equal(Object(await json(['acl', 'list', ...alice])).length, 1)
  })

  await t.test('ACLs are not deleted unasked, nor all at once', async () => {
    assert.match((await refused(['acl', 'delete', '--principal', 'User:a'])).stderr, /add --yes/)
    assert.match((await refused(['acl', 'delete', '--yes'])).stderr, /at least one option/)
  })

  await t.test('a principal without a type and an unknown operation are refused', async () => {
    const about = ['--topic', 'orders']
    const typeless = await refused(['acl', 'create', '--principal', 'a', '--operation', 'read', ...about])
    assert.match(typeless.stderr, /^INPUT_INVALID: principal "a" .*User:/)
    const unknown = await refused(['acl', 'create', '--principal', 'User:a', '--operation', 'red', ...about])
    assert.match(unknown.stderr, /^INPUT_INVALID: operation "red" is unknown: use one of all, read/)
  })

  await t.test('topics stay, and the reason is given', async () => {
    const topic = await createTopic(kafka.bootstrapServers)
    const { stderr } = await refused(['topic', 'delete', topic, '--yes'])
    assert.match(stderr, /^BROKER_REFUSED: .*Topic deletion is disabled: set delete\.topic\.enable=true/)
  })
})
