import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { InboundMessage, MessageHandler, Source, Subscription } from '../../src/brokers/subscription.js'
import { consume, Gate, newGroup, textOf } from '../helpers/consuming.js'
import { deadAddress } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'
import { failure, settled } from './broker-contract.js'

/** One kind of broker, or one protocol of it, as the suite below needs it. */
export interface SubscribingBroker {
  name: string
  /** Joins with time limits of about a second, at the running server unless told otherwise. */
  subscribe(source: Source, handle: MessageHandler, address?: string): Promise<Subscription>
  /** Makes a topic of several queues of its own for one test; with `ordered`, for messages that keep their order. */
  newTopic(ordered?: boolean): Promise<string>
  /** A group that can be consumed in order, where groups must be made for that. */
  newOrderedGroup?(): Promise<string>
  /** Publishes by other means than the driver's half under test, one after the other where a key is given. */
  publish(topic: string, values: string[], key?: string): Promise<void>
  /** Whether the broker keeps offsets that a member can see and move. */
  hasPositions: boolean
  /** The broker takes the message nearest to a time for its first, which may be the one before. */
  findsNearestTime?: boolean
}

/** Longer than the slowest broker takes to deliver a message again. */
const REDELIVERY_MS = 60_000

/** What every subscription promises, run against a real server. */
export function describeSubscribeContract(broker: SubscribingBroker): void {
  describe(`${broker.name} subscription`, { concurrency: true }, () => {
    test('hands over a message with its value, headers, topic and place', async (t) => {
      const topic = await broker.newTopic()
      const { messages } = await consume(t, broker.subscribe, { topics: [{ topic }] })

      await broker.publish(topic, ['hello'])

      const [message] = await waitFor('the message', () => messages.length > 0 && messages)
      assert.equal(String(message?.value), 'hello')
      assert.equal(message?.topic, topic)
      assert.equal(message?.queue.topic, topic)
      assert.equal(message?.attempt, 1)
      assert.match(message?.offset ?? '', /^\d+$/)
      assert.ok(Math.abs(Date.now() - (message?.timestamp ?? 0)) < 60_000)
    })

    test('hands over each of 300 messages once, whatever queue it is in', async (t) => {
      const topic = await broker.newTopic()
      const { messages } = await consume(t, broker.subscribe, { topics: [{ topic }] })
      const values = Array.from({ length: 300 }, (_, i) => `${i}`)

      await broker.publish(topic, values)

      await waitFor('all messages', () => messages.length >= 300)
      assert.deepEqual(messages.map(textOf).sort(), [...values].sort())
      assert.equal(new Set(messages.map(({ id }) => id)).size, 300)
    })

    test('hands a message whose handler rejects over again, and the others only once', async (t) => {
      const topic = await broker.newTopic()
      const { messages } = await consume(t, broker.subscribe, { topics: [{ topic }] }, (message) => {
        if (textOf(message) === 'bad' && message.attempt === 1) throw new Error('not yet')
      })

      await broker.publish(topic, ['good', 'bad', 'better'])

      await waitFor('the repetition', () => messages.length >= 4, REDELIVERY_MS)
      const bad = messages.filter((message) => textOf(message) === 'bad')
      assert.deepEqual(
        bad.map(({ attempt }) => attempt),
        [1, 2],
      )
      assert.deepEqual(new Set(bad.map(({ id, topic: of }) => `${of} ${id}`)).size, 1)
      assert.equal(messages.length, 4)
    })

    test('goes on where the last member of the group stopped', async (t) => {
      const topic = await broker.newTopic()
      const group = newGroup()
      const first = await consume(t, broker.subscribe, { group, topics: [{ topic }] })
      await broker.publish(topic, ['one', 'two'])
      await waitFor('the first two', () => first.messages.length === 2)
      await first.subscription.close()
      await broker.publish(topic, ['three'])

      const second = await consume(t, broker.subscribe, { group, topics: [{ topic }] })

      await waitFor('the third', () => second.messages.length > 0)
      assert.deepEqual(second.messages.map(textOf), ['three'])
    })

    test('hands a message that was not handled in time for the close to the next member', async (t) => {
      const topic = await broker.newTopic()
      const group = newGroup()
      const first = await consume(t, broker.subscribe, { group, topics: [{ topic }] }, () => {
        throw new Error('never')
      })
      await broker.publish(topic, ['unloved'])
      await waitFor('the first attempt', () => first.messages.length > 0)
      await first.subscription.close()

      const second = await consume(t, broker.subscribe, { group, topics: [{ topic }] })

      await waitFor('the second attempt', () => second.messages.length > 0, REDELIVERY_MS)
      assert.deepEqual(second.messages.map(textOf), ['unloved'])
    })

    test('waits for handlers under way when it is closed, starts none any more, and may be closed twice', async (t) => {
      const topic = await broker.newTopic()
      const gate = new Gate()
      let handled = 0
      const { messages, subscription } = await consume(
        t,
        broker.subscribe,
        { topics: [{ topic }], concurrency: 2 },
        async () => {
          await gate.opened
          handled++
        },
      )
      await broker.publish(topic, ['a', 'b', 'c', 'd'])
      await waitFor('two handlers', () => messages.length === 2)

      const closing = Promise.all([subscription.close(), subscription.close()])
      gate.open()
      await closing

      assert.equal(messages.length, 2)
      assert.equal(handled, 2)
      await subscription.close()
    })

    test('runs as many handlers at a time as it may, and no more', async (t) => {
      const topic = await broker.newTopic()
      const gate = new Gate()
      const { subscription, messages } = await consume(
        t,
        broker.subscribe,
        { topics: [{ topic }], concurrency: 3 },
        () => gate.opened,
      )
      t.after(() => gate.open())

      await broker.publish(
        topic,
        Array.from({ length: 40 }, (_, i) => `${i}`),
      )

      await waitFor('three handlers', () => messages.length >= 3)
      assert.equal(subscription.status().handling, 3)
      gate.open()
      await waitFor('all messages', () => messages.length === 40)
    })

    test('hands over several messages of a queue at once, up to the size of a batch', async (t) => {
      const topic = await broker.newTopic()
      const batches: number[] = []
      const gate = new Gate()
      const handle = async (batch: readonly InboundMessage[]) => {
        batches.push(batch.length)
        await gate.opened
      }
      const subscription = await broker.subscribe(
        { group: newGroup(), topics: [{ topic }], from: { at: 'latest' }, concurrency: 1, batchSize: 5 },
        handle,
      )
      t.after(() => subscription.close())
      t.after(() => gate.open())
      await broker.publish(
        topic,
        Array.from({ length: 60 }, (_, i) => `${i}`),
        'one-queue',
      )

      gate.open()

      await waitFor('all messages', () => batches.reduce((sum, size) => sum + size, 0) === 60)
      assert.ok(Math.max(...batches) <= 5, `${batches}`)
      assert.ok(Math.max(...batches) > 1, `${batches}`)
    })

    test('hands nothing over while it is paused, and everything after that', async (t) => {
      const topic = await broker.newTopic()
      const { messages, subscription } = await consume(t, broker.subscribe, { topics: [{ topic }] })
      await broker.publish(topic, ['before'])
      await waitFor('the first', () => messages.length === 1)
      subscription.pause()
      await broker.publish(topic, ['during'])
      const other = await consume(t, broker.subscribe, { topics: [{ topic }], from: { at: 'latest' } })
      await broker.publish(topic, ['witness'])
      await waitFor('the witness', () => other.messages.some((message) => textOf(message) === 'witness'))
      assert.equal(messages.length, 1)

      subscription.resume()

      await waitFor('the others', () => messages.length === 3)
    })

    test('keeps the order of messages that share a key, one that is repeated included', async (t) => {
      const topic = await broker.newTopic(true)
      const group = (await broker.newOrderedGroup?.()) ?? newGroup()
      const keys = ['a', 'b', 'c']
      const failed = new Set<string>()
      const { messages } = await consume(
        t,
        broker.subscribe,
        { group, topics: [{ topic }], order: 'key' },
        (message) => {
          const value = textOf(message)
          if (!value.endsWith('-3') || failed.has(value)) return
          failed.add(value)
          throw new Error('once')
        },
      )

      await Promise.all(
        keys.map((key) =>
          broker.publish(
            topic,
            Array.from({ length: 10 }, (_, i) => `${key}-${i}`),
            key,
          ),
        ),
      )

      await waitFor('all messages', () => messages.length === 33, REDELIVERY_MS)
      for (const key of keys) {
        const ofKey = messages.map(textOf).filter((value) => value.startsWith(key))
        assert.deepEqual(
          ofKey,
          [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9].map((i) => `${key}-${i}`),
        )
      }
    })

    test('shares the messages of a group between its members, and gives them all to another group', async (t) => {
      const topic = await broker.newTopic()
      const group = newGroup()
      const one = await consume(t, broker.subscribe, { group, topics: [{ topic }] })
      const two = await consume(t, broker.subscribe, { group, topics: [{ topic }] })
      const other = await consume(t, broker.subscribe, { topics: [{ topic }] })
      // Until the members have agreed on who has what, both may get a message.
      await waitFor('both to have a share', async () => {
        await broker.publish(
          topic,
          Array.from({ length: 20 }, () => `warm-up ${randomUUID()}`),
        )
        return one.messages.length > 0 && two.messages.length > 0
      })
      const values: string[] = Array.from({ length: 200 }, () => randomUUID())

      await broker.publish(topic, values)

      const seen = (from: InboundMessage[]) => from.map(textOf).filter((value) => values.includes(value))
      await waitFor('all messages', () => seen([...one.messages, ...two.messages]).length >= 200)
      await waitFor('all messages in the other group', () => seen(other.messages).length >= 200)
      assert.deepEqual(seen([...one.messages, ...two.messages]).sort(), [...values].sort())
      assert.deepEqual(seen(other.messages).sort(), [...values].sort())
    })

    test('names the address where nothing listens', async () => {
      const address = await deadAddress()

      const error = failure(
        await settled(
          broker.subscribe(
            { group: newGroup(), topics: [{ topic: 'some-topic' }], from: { at: 'latest' } },
            async () => undefined,
            address,
          ),
        ),
      )

      assert.equal(error.code, 'BROKER_UNREACHABLE')
      assert.ok(error.message.includes(address), error.message)
    })

    test('refuses a topic that does not exist, naming it', async () => {
      const topic = `test-${randomUUID()}`

      const error = failure(
        await settled(
          broker.subscribe(
            { group: newGroup(), topics: [{ topic }], from: { at: 'latest' } },
            async () => undefined,
          ),
        ),
      )

      assert.equal(error.code, 'TOPIC_UNKNOWN')
      assert.ok(error.message.includes(topic), error.message)
    })

    if (broker.hasPositions) describePositions(broker)
  })
}

function describePositions(broker: SubscribingBroker): void {
  test('begins at the earliest message, or behind the latest, where the group has no offset', async (t) => {
    const topic = await broker.newTopic()
    await broker.publish(topic, ['old'])
    const earliest = await consume(t, broker.subscribe, { topics: [{ topic }], from: { at: 'earliest' } })
    const latest = await consume(t, broker.subscribe, { topics: [{ topic }], from: { at: 'latest' } })

    await broker.publish(topic, ['new'])

    await waitFor('the new one', () => earliest.messages.length >= 2 && latest.messages.length > 0)
    assert.deepEqual(earliest.messages.map(textOf).sort(), ['new', 'old'])
    assert.deepEqual(latest.messages.map(textOf), ['new'])
  })

  const skip =
    broker.findsNearestTime && 'the broker may begin at the message before, which is nearer to the time'
  test('begins at the first message of a time where the group has no offset', { skip }, async (t) => {
    const topic = await broker.newTopic()
    await broker.publish(topic, ['old'], 'one-queue')
    const between = Date.now() + 20
    const time = await waitFor('the clock to go on', () => Date.now() > between && between)
    await broker.publish(topic, ['new'], 'one-queue')

    const { messages } = await consume(t, broker.subscribe, {
      topics: [{ topic }],
      from: { at: 'time', time },
    })

    await waitFor('the new one', () => messages.length > 0)
    assert.deepEqual(messages.map(textOf), ['new'])
  })

  test('goes back to the start when told so, and on from there', async (t) => {
    const topic = await broker.newTopic()
    const { messages, subscription } = await consume(t, broker.subscribe, { topics: [{ topic }] })
    await broker.publish(topic, ['a', 'b', 'c'])
    await waitFor('all messages', () => messages.length === 3)

    await subscription.seek({ at: 'earliest' })

    await waitFor('all messages again', () => messages.length === 6)
    assert.deepEqual(messages.slice(3).map(textOf).sort(), ['a', 'b', 'c'])
  })

  test('tells of each queue what is not consumed yet', async (t) => {
    const topic = await broker.newTopic()
    const { messages, subscription } = await consume(t, broker.subscribe, { topics: [{ topic }] })
    await broker.publish(topic, ['a', 'b'])
    await waitFor('both', () => messages.length === 2)
    subscription.pause()
    await broker.publish(topic, ['c', 'd', 'e'])

    // RocketMQ's broker makes its queues from what it has acknowledged, a moment later.
    const positions = await waitFor('three in the queues', async () => {
      const found = await subscription.positions()
      return found.reduce((sum, position) => sum + Number(position.lag), 0) === 3 && found
    })

    assert.ok(positions.every(({ paused }) => paused))
    for (const { offset, end, lag: ofQueue } of positions) {
      assert.equal(BigInt(end) - BigInt(offset), BigInt(ofQueue))
    }
  })

  test('pauses one queue alone', async (t) => {
    const topic = await broker.newTopic()
    const { messages, subscription } = await consume(t, broker.subscribe, { topics: [{ topic }] })
    const held = await subscription.positions()
    const paused = held.slice(1)
    subscription.pause(paused)

    // One after the other, so that they spread over the queues.
    for (let i = 0; i < 40; i++) await broker.publish(topic, [`${i}`])

    await waitFor('those of the one queue', async () => {
      const [position] = (await subscription.positions()).filter((each) => !each.paused)
      return position?.lag === '0' && Number(position.end) > 0
    })
    assert.equal(new Set(messages.map(({ queue }) => queue.partition)).size, 1)
    subscription.resume(paused)
    await waitFor('the others', () => messages.length === 40)
  })
}
