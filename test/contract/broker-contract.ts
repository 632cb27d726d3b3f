import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import type { BrokerConnection, OutboundMessage, Receipt } from '../../src/brokers/broker.js'
import { RelayError } from '../../src/core/errors.js'
import { deadAddress, hangingServer } from '../helpers/unwell-servers.js'

/** One kind of broker, or one protocol of it, as the suite below needs it. */
export interface BrokerUnderTest {
  name: string
  /** `host:port` of the running server. */
  address: string
  /** A connection with time limits of about a second, to the running server unless told otherwise. */
  connect(address?: string): BrokerConnection
  /** Makes a topic of its own for one test and returns its name. */
  newTopic(): Promise<string>
  /** The values of all messages of the topic, read by other means than the driver, once at least `count` are there. */
  read(topic: string, count: number): Promise<string[]>
}

/** More than any broker takes with its default settings. */
const TOO_LARGE = 6 * 1024 * 1024

/** What every broker driver promises, run against a real server. */
export function describeBrokerContract(broker: BrokerUnderTest): void {
  describe(`${broker.name} driver`, () => {
    test('gives a receipt for a message that can then be read', async (t) => {
      const connection = connected(t, broker)
      const topic = await broker.newTopic()

      const receipt = await connection.publish(message(topic, 'hello'))

      assert.equal(receipt.topic, topic)
      assert.deepEqual(await broker.read(topic, 1), ['hello'])
    })

    test('publishes 200 messages at once, each exactly once and each with a receipt of its own', async (t) => {
      const connection = connected(t, broker)
      const topic = await broker.newTopic()
      const values = Array.from({ length: 200 }, (_, i) => `message ${i}`)

      const receipts = await Promise.all(values.map((value) => connection.publish(message(topic, value))))

      assert.equal(new Set(receipts.map(place)).size, 200)
      assert.deepEqual((await broker.read(topic, 200)).sort(), [...values].sort())
    })

    test('refuses a message too large for the broker and publishes those beside it', async (t) => {
      const connection = connected(t, broker)
      const topic = await broker.newTopic()
      const publishing = ['before', 'x'.repeat(TOO_LARGE), 'after'].map((value) =>
        connection.publish(message(topic, value)),
      )

      const [before, tooLarge, after] = await Promise.allSettled(publishing)

      assert.equal(before?.status, 'fulfilled')
      assert.equal(after?.status, 'fulfilled')
      const error = failure(tooLarge)
      assert.equal(error.code, 'MESSAGE_TOO_LARGE')
      assert.equal(error.retryable, false)
      assert.deepEqual((await broker.read(topic, 2)).sort(), ['after', 'before'])
    })

    test('keeps text of all scripts and 900 KB of it unchanged', async (t) => {
      const connection = connected(t, broker)
      const topic = await broker.newTopic()
      const values = ['Größe 消息 🚀 \u0000', 'ü'.repeat(450_000)]

      for (const value of values) await connection.publish(message(topic, value))

      assert.deepEqual((await broker.read(topic, 2)).sort(), [...values].sort())
    })

    test('checks a running broker without complaint', async (t) => {
      await connected(t, broker).check()
    })

    test('says that a broker is unreachable, naming its address, where nothing listens', async (t) => {
      const address = await deadAddress()
      const connection = connected(t, broker, address)

      const [publishing, checking] = await withinBudget(connection, () =>
        Promise.allSettled([connection.publish(message('some-topic', 'x')), connection.check()]),
      )

      for (const outcome of [publishing, checking]) {
        const error = failure(outcome)
        assert.equal(error.code, 'BROKER_UNREACHABLE')
        assert.ok(error.message.includes(address), error.message)
        assert.equal(error.retryable, true)
      }
    })

    test('gives up within its budget on a broker that accepts and never answers', async (t) => {
      const { address } = await hangingServer(t)
      const connection = connected(t, broker, address)

      const outcomes = await withinBudget(connection, () =>
        Promise.allSettled(
          Array.from({ length: 50 }, (_, i) => connection.publish(message('some-topic', `${i}`))),
        ),
      )

      assert.deepEqual(new Set(outcomes.map((outcome) => failure(outcome).outcome)), new Set(['failed']))
    })

    test('settles what is in flight when it is closed, and may be closed twice', async (t) => {
      const connection = connected(t, broker)
      const topic = await broker.newTopic()
      const publishing = Array.from({ length: 20 }, (_, i) => connection.publish(message(topic, `${i}`)))

      await Promise.all([connection.close(), connection.close()])

      const receipts = await Promise.all(publishing)
      assert.equal(receipts.length, 20)
      assert.equal((await broker.read(topic, 20)).length, 20)
      await connection.close()
      assert.equal(failure(await settled(connection.publish(message(topic, 'late')))).retryable, true)
    })
  })
}

export function message(topic: string, value: string, rest: Partial<OutboundMessage> = {}): OutboundMessage {
  return { topic, value: Buffer.from(value), requestId: randomUUID(), headers: {}, ...rest }
}

/** Where a message lies, as text; no two messages of a topic share it. */
export function place(receipt: Receipt): string {
  return receipt.kind === 'kafka' ? `${receipt.partition}@${receipt.offset}` : receipt.messageId
}

/** The RelayError of a promise that must have failed. */
export function failure(outcome: PromiseSettledResult<unknown> | undefined): RelayError {
  assert.equal(outcome?.status, 'rejected')
  assert.ok(outcome.reason instanceof RelayError, String(outcome.reason))
  return outcome.reason
}

export async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T> | undefined> {
  return (await Promise.allSettled([promise]))[0]
}

function connected(t: TestContext, broker: BrokerUnderTest, address?: string): BrokerConnection {
  const connection = broker.connect(address)
  t.after(() => connection.close())
  return connection
}

async function withinBudget<T>(connection: BrokerConnection, act: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await act()
  const took = performance.now() - start
  assert.ok(took <= connection.publishBudgetMs, `took ${took} ms of ${connection.publishBudgetMs} ms`)
  return result
}
