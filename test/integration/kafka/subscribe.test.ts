import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { createKafkaDriver } from '../../../src/brokers/kafka/driver.js'
import type { InboundMessage } from '../../../src/brokers/subscription.js'
import { silentLog } from '../../../src/core/log.js'
import { message } from '../../contract/broker-contract.js'
import { consume, Gate, newGroup, textOf } from '../../helpers/consuming.js'
import { createTopic, publishInTransaction, subscribeTo, withAdmin } from '../../helpers/kafka.js'
import { consumeWithJava } from '../../helpers/kafka-java.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const server = testServers().kafka.bootstrapServers
const driver = createKafkaDriver()
const context = { adapter: 'subscribe', log: silentLog }
const publisher = driver.connect(driver.parse(server, {}), context)
after(() => publisher.close())

/** The end of a heartbeat is when a member hears of a rebalance. */
const QUICK = { heartbeatIntervalMs: 100, rebalanceBackoffMs: 100, retryBackoffMs: 100 }
/** A machine that is busy with others needs its time. */
const PATIENCE_MS = 60_000

const subscribeBy = (consumer: Record<string, unknown> = {}) =>
  subscribeTo(server, { consumer: { ...QUICK, ...consumer } })

async function publish(topic: string, value: string, place: { key?: string; partition?: number } = {}) {
  const key = place.key === undefined ? null : Buffer.from(place.key)
  await publisher.publish(message(topic, value, { key, partition: place.partition }))
}

describe('a Kafka subscription', { concurrency: true }, () => {
  test('skips nothing and keeps the order of each key while members come and go with work in flight', async (t) => {
    const topic = await createTopic(server, { partitions: 6 })
    const source = { group: newGroup(), topics: [{ topic }], order: 'key', from: { at: 'earliest' } } as const
    const keys = Array.from({ length: 12 }, (_, i) => `key-${i}`)
    const sent = new Map(keys.map((key) => [key, 0]))
    const handled = new Map(keys.map((key): [string, number[]] => [key, []]))
    let isOver = false
    t.after(() => {
      isOver = true
    })
    const sentOf = (key: string) => sent.get(key) ?? 0
    const handledOf = (key: string) => handled.get(key) ?? []
    const handle = async (handling: InboundMessage) => {
      const [key, number] = [String(handling.key), Number(textOf(handling))]
      // One of each key is in hand at all times.
      await waitFor('the next to be sent', () => isOver || sentOf(key) > number + 1, PATIENCE_MS)
      handledOf(key).push(number)
    }
    const join = () => consume(t, subscribeBy(), source, handle)

    const publishing = Promise.all(
      keys.map(async (key) => {
        for (let number = 0; !isOver; number++) {
          await publish(topic, `${number}`, { key })
          sent.set(key, number + 1)
          const before = () => number === 0 || handledOf(key).includes(number - 1)
          await waitFor('the one before to be handled', () => isOver || before(), PATIENCE_MS)
        }
      }),
    )
    const first = await join()
    const second = await join()
    await waitFor('the second to have a share', () => second.messages.length > 20, PATIENCE_MS)
    await first.subscription.close()
    const third = await join()
    await waitFor('the third to have a share', () => third.messages.length > 20, PATIENCE_MS)
    isOver = true
    await publishing
    const isComplete = () => keys.every((key) => handledOf(key).includes(sentOf(key) - 1))
    await waitFor('all messages', isComplete, PATIENCE_MS)

    for (const key of keys) {
      let reached = -1
      for (const number of handledOf(key)) {
        assert.ok(number <= reached + 1, `${key}: ${number} came after ${reached}`)
        reached = Math.max(reached, number)
      }
      assert.equal(reached, sentOf(key) - 1)
    }
  })

  test('goes on with a partition it keeps over a rebalance, handing over nothing twice', async (t) => {
    const topic = await createTopic(server, { partitions: 2 })
    const source = { group: newGroup(), topics: [{ topic }], from: { at: 'earliest' } } as const
    for (const partition of [0, 1]) await publish(topic, `${partition}`, { partition })
    const gate = new Gate()
    t.after(() => gate.open())
    const subscribe = subscribeBy({ rebalanceTimeoutMs: 1000 })
    const slow = await consume(t, subscribe, source, () => gate.opened)
    await waitFor('both to be in flight', () => slow.messages.length === 2)

    const other = await consume(t, subscribe, source)
    await waitFor('the share of the other', () => other.messages.length === 1)
    gate.open()
    const held = async () => (await slow.subscription.positions()).map(({ lag }) => lag).join()
    await waitFor('the one it kept to be done', async () => (await held()) === '0')

    assert.equal(slow.messages.length, 2)
    assert.equal(other.messages.length, 1)
  })

  test('lets a handler know that its partition went to another member, which has the message now', async (t) => {
    const topic = await createTopic(server, { partitions: 2 })
    const source = { group: newGroup(), topics: [{ topic }], from: { at: 'earliest' } } as const
    for (const partition of [0, 1]) await publish(topic, `${partition}`, { partition })
    const signals = new Map<string, AbortSignal>()
    const gate = new Gate()
    t.after(() => gate.open())
    const subscribe = subscribeBy({ rebalanceTimeoutMs: 1000 })
    const waiting = await subscribe(source, async (messages, isGivenUp) => {
      for (const message of messages) signals.set(textOf(message), isGivenUp)
      await gate.opened
    })
    t.after(() => waiting.close())
    await waitFor('both to be in flight', () => signals.size === 2)

    const other = await consume(t, subscribe, source)
    await waitFor('the share of the other', () => other.messages.length === 1)
    const gone = other.messages.map(textOf)
    for (const [value, { aborted }] of signals) assert.equal(aborted, gone.includes(value), value)
  })

  test('lets others pass a message that fails again and again, and its position waits for it', async (t) => {
    const topic = await createTopic(server)
    let isCured = false
    const { messages, subscription } = await consume(
      t,
      (source, handle) => subscribeBy()({ ...source, redeliveryDelayMs: () => 20 }, handle),
      { topics: [{ topic }], from: { at: 'earliest' } },
      (each) => {
        if (textOf(each) === '1' && !isCured) throw new Error('poison')
      },
    )
    for (let i = 0; i < 50; i++) await publish(topic, `${i}`)

    await waitFor('the others', () => new Set(messages.map(textOf)).size === 50)
    await waitFor('three attempts', () => messages.some(({ attempt }) => attempt === 3))
    assert.equal((await subscription.positions())[0]?.offset, '1')
    isCured = true
    await waitFor('the position to pass it', async () => (await subscription.positions())[0]?.offset === '50')
    assert.equal(messages.filter((each) => textOf(each) !== '1').length, 49)
  })

  test('leaves out what was aborted, and its position passes the marks of transactions', async (t) => {
    const topic = await createTopic(server)
    const from = { topics: [{ topic }], from: { at: 'earliest' } } as const
    const committed = await consume(t, subscribeBy(), from)
    const all = await consume(t, subscribeBy({ isolationLevel: 'read-uncommitted' }), from)

    await publishInTransaction(server, topic, 'aborted', 'abort')
    await publishInTransaction(server, topic, 'committed')
    await publishInTransaction(server, topic, 'aborted too', 'abort')

    await waitFor('its end', async () => {
      const [position] = await committed.subscription.positions()
      return position?.offset === position?.end && position?.end === '6'
    })
    await waitFor('all three', () => all.messages.length === 3)
    assert.deepEqual(committed.messages.map(textOf), ['committed'])
  })

  for (const [at, expected] of [
    ['earliest', ['2', '3', 'new']],
    ['latest', ['new']],
  ] as const) {
    test(`begins at the ${at} where the offset of the group was deleted`, async (t) => {
      const topic = await createTopic(server)
      const source = { group: newGroup(), topics: [{ topic }], from: { at } }
      const first = await consume(t, subscribeBy(), source)
      await publish(topic, '0')
      await waitFor('the first message', () => first.messages.length === 1)
      await first.subscription.close()
      for (let i = 1; i < 4; i++) await publish(topic, `${i}`)
      await withAdmin(server, async (admin) => {
        // kafkajs does not look a topic up for this.
        await admin.fetchTopicOffsets(topic)
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
      })

      const { messages, subscription } = await consume(t, subscribeBy(), source)
      await waitFor('the place to be found', async () => {
        const [position] = await subscription.positions()
        return BigInt(position?.offset ?? 0) >= 2n
      })
      await publish(topic, 'new')

      await waitFor('the new message', () => messages.some((each) => textOf(each) === 'new'))
      assert.deepEqual(messages.map(textOf), expected)
    })
  }

  test('is sent to an offset or a time, in the partitions named, and only to where there are messages', async (t) => {
    const topic = await createTopic(server, { partitions: 2 })
    const start = Date.now()
    for (const i of [0, 1, 2]) {
      const value = message(topic, `${i}`, { partition: 0, timestamp: start + i })
      await publisher.publish(value)
    }
    const source = { topics: [{ topic }], from: { at: 'earliest' } } as const
    const { messages, subscription } = await consume(t, subscribeBy(), source)
    await waitFor('all messages', () => messages.length === 3)
    const queue = { topic, partition: 0 }

    assert.deepEqual(await subscription.seek({ at: 'offset', offset: '1' }, [queue]), [queue])
    await waitFor('the last two again', () => messages.length === 5)
    await subscription.seek({ at: 'time', time: start + 2 })
    await waitFor('the last again', () => messages.length === 6)
    await assert.rejects(subscription.seek({ at: 'offset', offset: '4' }, [queue]), {
      code: 'INPUT_INVALID',
      message: new RegExp(`offset 4 is not in partition 0 of topic ${topic}, which holds 0 to 2`),
    })
    assert.deepEqual(messages.map(textOf), ['0', '1', '2', '1', '2', '2'])
  })

  test('finds partitions that are added, and begins at their first message', async (t) => {
    const topic = await createTopic(server)
    const { messages } = await consume(t, subscribeBy(), { topics: [{ topic }] })
    await withAdmin(server, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }))

    await waitFor('the partition to take a message', () =>
      publish(topic, 'early', { partition: 1 }).then(
        () => true,
        () => false,
      ),
    )

    await waitFor('the message', () => messages.length > 0, PATIENCE_MS)
    assert.deepEqual(messages.map(textOf), ['early'])
  })

  test('goes on with a topic that is deleted and made anew, and says what is wrong meanwhile', async (t) => {
    const topic = await createTopic(server)
    const { messages, subscription } = await consume(t, subscribeBy(), { topics: [{ topic }] })
    await publish(topic, 'old')
    await waitFor('the old message', () => messages.length === 1)
    await withAdmin(server, (admin) => admin.deleteTopics({ topics: [topic] }))
    await waitFor('the complaint', () => subscription.status().error?.code === 'TOPIC_UNKNOWN', PATIENCE_MS)

    await createTopic(server, { name: topic })
    await publish(topic, 'new')

    await waitFor('the new message', () => messages.length === 2, PATIENCE_MS)
    assert.equal(textOf(messages[1] ?? assert.fail()), 'new')
    await waitFor('all to be well', () => subscription.status().error === undefined)
  })

  test('shares a group with a member of Java, whichever of the two shares out the partitions', async (t) => {
    const topic = await createTopic(server, { partitions: 4 })
    const group = newGroup()
    const source = { group, topics: [{ topic }], from: { at: 'earliest' } } as const
    const ours = await consume(t, subscribeBy(), source)
    const java = await consumeWithJava(t, { bootstrapServers: server, group, topic })
    const bothHear = async (mine: InboundMessage[]) => {
      const [of, ofJava] = [mine.length, java.values.length]
      await waitFor(
        'both to have a share',
        async () => {
          await Promise.all([0, 1, 2, 3].map((partition) => publish(topic, 'warm-up', { partition })))
          return mine.length > of && java.values.length > ofJava
        },
        PATIENCE_MS,
      )
    }
    await bothHear(ours.messages)
    await ours.subscription.close()
    const again = await consume(t, subscribeBy(), source)

    await bothHear(again.messages)

    for (let i = 0; i < 40; i++) await publish(topic, `${i}`, { partition: i % 4 })
    const values = () =>
      [...java.values, ...again.messages.map(textOf)].filter((value) => /^\d+$/.test(value))
    await waitFor('all messages', () => values().length >= 40)
    assert.deepEqual(
      values().sort((a, b) => Number(a) - Number(b)),
      Array.from({ length: 40 }, (_, i) => `${i}`),
    )
    assert.equal(again.messages.filter((each) => /^\d+$/.test(textOf(each))).length, 20)
    await java.leave()
  })

  test('keeps a header that comes several times, one that is empty, one that is no text, and a tombstone', async (t: TestContext) => {
    const topic = await createTopic(server)
    const { messages } = await consume(t, subscribeBy(), { topics: [{ topic }] })
    const headers = { many: ['a', 'b'], one: 'ü', none: '', bytes: Buffer.of(0x61, 0xff), sign: '\ufffd' }

    await publisher.publish({ topic, requestId: 'r', key: Buffer.from('key'), value: null, headers })

    const [received] = await waitFor('the message', () => messages.length > 0 && messages)
    assert.equal(received?.value, null)
    assert.equal(String(received?.key), 'key')
    assert.equal(received?.id, `${topic}-0-0`)
    assert.deepEqual(received?.headers, headers)
  })

  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
    test(`reads what was compressed by ${compression}`, async (t) => {
      const topic = await createTopic(server)
      const { messages } = await consume(t, subscribeBy(), { topics: [{ topic }] })
      const connection = driver.connect(driver.parse(server, { compression }), context)
      t.after(() => connection.close())

      await Promise.all(['a', 'b', 'c'].map((value) => connection.publish(message(topic, value))))

      await waitFor('all messages', () => messages.length === 3)
      assert.deepEqual(messages.map(textOf).sort(), ['a', 'b', 'c'])
    })
  }
})
