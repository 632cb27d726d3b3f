import assert from 'node:assert/strict'
import os from 'node:os'
import { describe, it, test } from 'node:test'
import { createTopic } from '../../helpers/kafka.js'
import { newName, operator, shared } from '../../helpers/operator.js'
import { waitFor } from '../../helpers/wait-for.js'

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
