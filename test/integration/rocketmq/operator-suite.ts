import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import type {
  BrokerOperator,
  ConsumedMessage,
  ConsumeRequest,
  StartPosition,
} from '../../../src/brokers/operator.js'
import { createRocketmqDriver } from '../../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../../src/core/log.js'
import { message } from '../../contract/broker-contract.js'
import { consume, newGroup, textOf } from '../../helpers/consuming.js'
import { connect, createTopic, subscribeOver } from '../../helpers/rocketmq.js'
import { consumeWithJava, type mqadmin4, produceWithJava } from '../../helpers/rocketmq-java.js'
import { waitFor } from '../../helpers/wait-for.js'

/** What operators can do with every version of RocketMQ, compared with its own admin tool. */
export function describeOperator(
  version: string,
  nameServer: () => string,
  /** The version's own. */
  mqadmin: typeof mqadmin4,
  /** That topics have there unless told otherwise. */
  type: string | null,
): void {
  const newTopic = () => `test-${randomUUID()}`

  describe(`an operator of RocketMQ ${version}`, () => {
    test('makes topics that the admin tool knows, and knows those it made', async (t) => {
      const operator = operate(t, nameServer())
      const [ours, theirs] = [newTopic(), newTopic()]
      await operator.createTopic?.({ topic: ours, partitions: 3, configs: {} })
      await mqadmin(nameServer(), 'updateTopic', '-c', 'DefaultCluster', '-t', theirs, '-r', '2', '-w', '2')

      const status = await mqadmin(nameServer(), 'topicStatus', '-t', ours)
      assert.equal(status.match(/^broker-a /gm)?.length, 3, status)
      const topics = (await operator.listTopics?.()) ?? []
      assert.deepEqual(
        topics.filter(({ topic }) => topic === ours || topic === theirs),
        [
          { topic: ours, type, queues: 3 },
          { topic: theirs, type, queues: 2 },
        ].sort((a, b) => (a.topic < b.topic ? -1 : 1)),
      )
      assert.ok(!topics.some(({ topic }) => topic === 'TBW102' || topic.startsWith('RMQ_SYS_')))
    })

    test('sees the queues of a topic, with their offsets', async (t) => {
      const topic = await createTopic(nameServer(), { queues: 1 })
      await connect(t, nameServer()).publish(message(topic, 'one'))
      const description = await operate(t, nameServer()).describeTopic?.(topic)
      assert.ok(description && 'queues' in description)
      const { queues, configs, ...rest } = description
      const [queue] = queues
      assert.deepEqual(rest, { topic, type })
      assert.ok(queue?.lastStoredAt && queue.lastStoredAt > Date.now() - 60_000)
      assert.deepEqual(queues, [
        {
          ...{ broker: 'broker-a', queue: 0, readable: true, writable: true },
          ...{ firstOffset: '0', endOffset: '1', lastStoredAt: queue.lastStoredAt },
        },
      ])
      assert.equal(configs.find(({ name }) => name === 'perm')?.value, 'read,write')
    })

    test('changes queues and permissions of a topic, and keeps the rest', async (t) => {
      const topic = await createTopic(nameServer(), { queues: 2 })
      const operator = operate(t, nameServer())
      await operator.alterTopic?.(topic, { configs: { perm: 'read' }, removedConfigs: [] })
      await operator.alterTopic?.(topic, { partitions: 3, configs: {}, removedConfigs: [] })
      const description = await operator.describeTopic?.(topic)
      assert.ok(description && 'queues' in description)
      assert.deepEqual(
        description.queues.map(({ readable, writable }) => [readable, writable]),
        [
          [true, false],
          [true, false],
          [true, false],
        ],
      )
    })

    test('deletes a topic with all its messages', async (t) => {
      const name = await createTopic(nameServer(), { queues: 1 })
      await connect(t, nameServer()).publish(message(name, 'gone'))
      const operator = operate(t, nameServer())
      await operator.deleteTopic?.(name)
      assert.ok(!(await operator.listTopics?.())?.some(({ topic }) => topic === name))
      await assert.rejects(
        async () => await operator.describeTopic?.(name),
        /^RelayError: topic \S+ does not exist/,
      )
      await operator.createTopic?.({ topic: name, partitions: 1, configs: {} })
      assert.deepEqual(await consumed(operator, name, {}), [])
    })

    test('sees which queues a member of this program reads, as the admin tool does', async (t) => {
      const [topic, group] = [await createTopic(nameServer(), { queues: 2 }), newGroup()]
      const operator = operate(t, nameServer())
      await consume(t, subscribeOver(nameServer()), { group, topics: [{ topic }] })

      const description = await operator.describeGroup?.(group)

      const [member] = description?.members ?? []
      const held = description?.partitions.filter((each) => each.topic === topic)
      assert.deepEqual(
        held?.map((each) => each.memberId),
        [member?.memberId, member?.memberId],
      )
      // Without a member it would write files.
      const status = await mqadmin(nameServer(), 'consumerStatus', '-g', group, '-i', member?.memberId ?? '')
      assert.match(status, new RegExp(`^${topic} +broker-a +1 `, 'm'))
    })

    test('sees who reads which queue, and how far the group lags behind, as the admin tool does', async (t) => {
      const [topic, group] = [await createTopic(nameServer(), { queues: 2 }), newGroup()]
      const operator = operate(t, nameServer())
      const connection = connect(t, nameServer())
      await connection.publish(message(topic, 'read'))
      const consumer = await consumeWithJava(t, nameServer(), group, topic)
      await waitFor('the message to be consumed', () => consumer.bodies.includes('read'))

      const described = await waitFor('both queues to be held', async () => {
        const description = await operator.describeGroup?.(group)
        const held = description?.partitions.filter((each) => each.topic === topic && each.memberId !== null)
        return held?.length === 2 && description
      })
      assert.deepEqual(
        [described.state, described.mode, described.members.length],
        ['Active', 'clustering', 1],
      )
      assert.ok(described.subscriptions?.some((each) => each.topic === topic && each.filter === '*'))
      const [member] = described.members
      const holders = described.partitions.filter((each) => each.topic === topic).map((each) => each.memberId)
      assert.deepEqual(holders, [member?.memberId, member?.memberId])
      await assert.rejects(
        async () => await operator.deleteGroup?.(group),
        /has 1 member.*stop its consumers first/,
      )

      await consumer.leave()
      for (const unread of ['1', '2', '3']) await connection.publish(message(topic, unread))
      const left = await waitFor('the lag to show', async () => {
        const description = await operator.describeGroup?.(group)
        return description?.state === 'Empty' && description
      })
      const ofTopic = left.partitions.filter((each) => each.topic === topic)
      assert.equal(
        ofTopic.reduce((sum, { lag }) => sum + Number(lag), 0),
        3,
      )
      const progress = await mqadmin(nameServer(), 'consumerProgress', '-g', group)
      for (const { broker, partition, endOffset, committedOffset, lag } of ofTopic) {
        const row = progress
          .split('\n')
          .find((line) => new RegExp(`^${topic} +${broker} +${partition} `).test(line))
        assert.deepEqual(row?.split(/ +/).slice(3, 5), [endOffset, committedOffset], progress)
        assert.ok(row.includes(` ${lag} `), row)
      }

      await operator.deleteGroup?.(group)
      assert.ok(!(await operator.listGroups?.())?.some((each) => each.group === group))
      await assert.rejects(async () => await operator.describeGroup?.(group), /there is no consumer group/)
    })

    test('moves a group that has no members, and only to where its topic has messages', async (t) => {
      const [topic, group] = [await createTopic(nameServer(), { queues: 1 }), newGroup()]
      const connection = connect(t, nameServer())
      for (const value of ['0', '1', '2']) await connection.publish(message(topic, value))
      const operator = operate(t, nameServer())
      const join = () =>
        consume(t, subscribeOver(nameServer()), { group, topics: [{ topic }], from: { at: 'earliest' } })
      const first = await join()
      await waitFor('all messages', () => first.messages.length === 3)
      const move = async (to: StartPosition, queues?: number[]) =>
        await operator.moveGroup?.({ group, topics: [topic], to, partitions: queues })

      await assert.rejects(move({ at: 'earliest' }), {
        code: 'GROUP_ACTIVE',
        message: /1 member.*stop its consumers/,
      })
      await first.subscription.close()
      const moved = await waitFor('the broker to see it leave', () =>
        move({ at: 'offset', offset: '1' }, [0]).catch(() => undefined),
      )

      assert.deepEqual(moved, [{ topic, broker: 'broker-a', partition: 0, previous: '3', offset: '1' }])
      const outside = { code: 'INPUT_INVALID', message: /offset 4 is not in queue 0 .*, which holds 0 to 2/ }
      await assert.rejects(move({ at: 'offset', offset: '4' }), outside)
      await assert.rejects(move({ at: 'latest' }, [1]), { code: 'PARTITION_UNKNOWN' })
      const second = await join()
      await waitFor('the others again', () => second.messages.length === 2)
      assert.deepEqual(second.messages.map(textOf), ['1', '2'])
    })

    test('finds a message by its id, by its place and by its key', async (t) => {
      const topic = await createTopic(nameServer(), { queues: 1 })
      const rest = { tag: 'created', keys: ['order-1', 'eu'], headers: { colour: 'red' } }
      const receipt = await connect(t, nameServer()).publish(message(topic, 'Größe 消息', rest))
      assert.ok(receipt.kind === 'rocketmq')
      const [theirs = ''] = await produceWithJava(nameServer(), [{ topic, body: 'J', keys: 'eu order-2' }])
      const operator = operate(t, nameServer())

      const [found] = await waitFor('the index to know both', async () => {
        const both = await operator.queryMessages?.({ topic, key: 'eu', max: 10 })
        return both?.length === 2 && both
      })
      assert.ok(found)
      const { storedAt, bornAt, bornHost, offsetMessageId, properties, value, ...known } = found
      assert.deepEqual(known, {
        ...{ topic, messageId: receipt.messageId, broker: 'broker-a', queue: 0, offset: '0' },
        ...{ reconsumeTimes: 0, tag: 'created', keys: ['order-1', 'eu'] },
      })
      assert.equal(value.toString(), 'Größe 消息')
      assert.equal(properties.colour, 'red')
      assert.match(bornHost, /^127\.0\.0\.1:\d+$/)
      assert.ok(storedAt >= bornAt && bornAt > Date.now() - 60_000)

      const byKey = await mqadmin(nameServer(), 'queryMsgByKey', '-t', topic, '-k', 'order-1')
      assert.match(byKey, new RegExp(`^${receipt.messageId} +0 +0\\b`, 'm'))
      assert.deepEqual(await operator.findMessages?.(topic, offsetMessageId), [found])
      assert.deepEqual(await operator.findMessages?.(topic, receipt.messageId), [found])
      assert.equal((await operator.findMessages?.(topic, theirs))?.[0]?.value.toString(), 'J')
      assert.deepEqual(await operator.queryMessages?.({ topic, key: 'order-1', max: 10 }), [found])
      assert.deepEqual(
        await operator.queryMessages?.({ topic, key: 'eu', since: Date.now() + 60_000, max: 10 }),
        [],
      )
      await assert.rejects(
        async () => await operator.findMessages?.(topic, `${receipt.messageId.slice(0, -4)}FFFF`),
        /^RelayError: there is no message/,
      )
    })

    test('finds messages by the time they were stored, the newest so many', async (t) => {
      const topic = await createTopic(nameServer(), { queues: 2 })
      const connection = connect(t, nameServer())
      const operator = operate(t, nameServer())
      const times: number[] = []
      for (const body of ['1', '2', '3', '4']) {
        await connection.publish(message(topic, body))
        // Brokers take a moment to enter it in its queue.
        const newest = await waitFor('the message', async () => {
          const [found] = (await operator.queryMessages?.({ topic, max: 1 })) ?? []
          return found?.value.toString() === body && found
        })
        times.push(newest.storedAt)
        await waitFor('the clock to go on', () => Date.now() > (times.at(-1) ?? 0))
      }
      const bodies = async (query: { since?: number | undefined; until?: number | undefined; max: number }) =>
        (await operator.queryMessages?.({ topic, ...query }))?.map(({ value }) => value.toString())
      assert.deepEqual(await bodies({ max: 10 }), ['1', '2', '3', '4'])
      assert.deepEqual(await bodies({ max: 2 }), ['3', '4'])
      assert.deepEqual(await bodies({ since: times[1], until: times[3], max: 10 }), ['2', '3'])
      assert.deepEqual(await bodies({ since: times[3], max: 10 }), ['4'])
      assert.deepEqual(await bodies({ until: times[0], max: 10 }), [])
    })

    test('reads a topic from where it is told, and no more than that', async (t) => {
      const topic = await createTopic(nameServer(), { queues: 1 })
      const connection = connect(t, nameServer())
      for (const [body, tag] of [
        ['1', 'a'],
        ['2', 'b'],
        ['3', 'a'],
        ['4', 'c'],
      ] as const) {
        await connection.publish(message(topic, body, { tag, keys: ['k'], headers: { colour: 'red' } }))
      }
      const operator = operate(t, nameServer())
      const read = async (request: Partial<ConsumeRequest>) =>
        (await consumed(operator, topic, request)).map(({ value }) => value?.toString())
      const [first] = await consumed(operator, topic, { max: 1 })
      assert.ok(first)
      const { timestamp, messageId, ...known } = first
      assert.deepEqual(known, {
        ...{ topic, partition: 0, offset: '0', broker: 'broker-a', tag: 'a' },
        ...{
          key: Buffer.from('k'),
          value: Buffer.from('1'),
          headers: { colour: 'red' },
        },
      })
      assert.match(messageId ?? '', /^[0-9A-F]{32}$/)
      assert.deepEqual(await read({}), ['1', '2', '3', '4'])
      assert.deepEqual(await read({ max: 2 }), ['1', '2'])
      assert.deepEqual(await read({ from: { at: 'offset', offset: '2' }, partition: 0 }), ['3', '4'])
      assert.deepEqual(await read({ from: { at: 'time', time: timestamp + 3_600_000 } }), [])
      assert.deepEqual(await read({ from: { at: 'time', time: timestamp } }), ['1', '2', '3', '4'])
      assert.deepEqual(await read({ tags: ['b', 'c'] }), ['2', '4'])
      assert.deepEqual(await read({ broker: 'broker-a', partition: 0 }), ['1', '2', '3', '4'])
      await assert.rejects(() => read({ partition: 1 }), /no such queue to read: it has 0 of broker-a/)
      await assert.rejects(
        () => read({ from: { at: 'offset', offset: '9' }, partition: 0 }),
        /offset 9 is not in queue 0 of broker-a of topic \S+, which holds 0 to 3/,
      )
      // Triggers of tests beside this one have groups, too.
      assert.ok(
        !(await operator.listGroups?.())?.some(({ group }) => /TOOLS|bpmn-relay-(?!test-)/.test(group)),
      )
    })

    test('follows a topic until told to stop', async (t) => {
      const topic = await createTopic(nameServer(), { queues: 16 })
      const connection = connect(t, nameServer())
      await connection.publish(message(topic, 'before'))
      const stopping = new AbortController()
      const bodies: string[] = []
      const following = operate(t, nameServer()).consume?.(
        { topic, from: { at: 'earliest' }, follow: true, signal: stopping.signal },
        async ({ value }) => {
          bodies.push(String(value))
        },
      )
      await waitFor('what is there', () => bodies.includes('before'))
      await connection.publish(message(topic, 'after'))
      await waitFor('what comes', () => bodies.includes('after'))
      stopping.abort()
      await following
      assert.deepEqual(bodies, ['before', 'after'])
    })
  })
}

/** The operator of an adapter, closed with the test. */
export function operate(
  t: TestContext,
  address: string,
  settings: Record<string, unknown> = {},
): BrokerOperator {
  const driver = createRocketmqDriver()
  const operator = driver.operate(driver.parse(address, settings), { adapter: 'test', log: silentLog })
  t.after(() => operator.close())
  return operator
}

async function consumed(
  operator: BrokerOperator,
  topic: string,
  request: Partial<ConsumeRequest>,
): Promise<ConsumedMessage[]> {
  const messages: ConsumedMessage[] = []
  const { signal } = new AbortController()
  const whole: ConsumeRequest = { topic, from: { at: 'earliest' }, follow: false, signal, ...request }
  await operator.consume?.(whole, async (each) => {
    messages.push(each)
  })
  return messages
}
