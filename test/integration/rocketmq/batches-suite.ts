import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { connect, createTopic, readTopic } from '../../helpers/rocketmq.js'

/** More than brokers take as the properties of one message. */
const TOO_MUCH = { headers: { large: 'x'.repeat(40_000) } }
const numbers = (count: number) => Array.from({ length: count }, (_, number) => number)

export interface BatchesOptions {
  version: string
  protocol: 'remoting' | 'grpc'
  nameServer: () => string
  /** What the adapter connects to. */
  address: () => string
}

/** What the driver promises, over both protocols, of messages that are ready together. */
export function describeBatches({ version, protocol, nameServer, address }: BatchesOptions): void {
  describe(`messages published at the same moment over ${protocol} to RocketMQ ${version}`, {
    concurrency: true,
  }, () => {
    test('lie side by side in one queue', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer())

      await Promise.all(numbers(20).map((number) => connection.publish(message(topic, `${number}`))))

      const read = await readTopic(nameServer(), topic, 20)
      assert.equal(new Set(read.map(({ queueId }) => queueId)).size, 1)
    })

    test('go several ways when they are too large for one', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer())

      // Many, as the proxy, which chooses the queues for all at once, may lead two ways to one.
      await Promise.all(
        numbers(10).map((number) => connection.publish(message(topic, `${number}`.repeat(200_000)))),
      )

      const read = await readTopic(nameServer(), topic, 10)
      assert.ok(new Set(read.map(({ queueId }) => queueId)).size > 1)
    })

    test('each have a receipt of their own', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer())

      const receipts = await Promise.all(
        numbers(20).map((number) => connection.publish(message(topic, `${number}`))),
      )

      const read = await readTopic(nameServer(), topic, 20)
      for (const [number, receipt] of receipts.entries()) {
        const stored = read.find(({ body }) => String(body) === `${number}`)
        assert.ok(stored && receipt.kind === 'rocketmq')
        assert.deepEqual([receipt.messageId, receipt.queueOffset], [stored.messageId, stored.queueOffset])
        if (protocol === 'remoting') assert.equal(receipt.queueId, stored.queueId)
      }
    })

    test('keep their own tags, keys and properties', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer())

      await Promise.all(
        numbers(5).map((number) =>
          connection.publish(
            message(topic, `${number}`, {
              tag: `tag-${number}`,
              keys: [`key-${number}`],
              headers: { number: `${number}` },
            }),
          ),
        ),
      )

      const read = await readTopic(nameServer(), topic, 5)
      assert.deepEqual(
        read.map(({ body, properties: { TAGS, KEYS, number } }) => [String(body), TAGS, KEYS, number]).sort(),
        numbers(5).map((number) => [`${number}`, `tag-${number}`, `key-${number}`, `${number}`]),
      )
    })

    test('arrive once each when one among them is refused', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer())

      const outcomes = await Promise.allSettled(
        numbers(20).map((number) =>
          connection.publish(message(topic, `${number}`, number === 7 ? TOO_MUCH : {})),
        ),
      )

      assert.deepEqual(
        outcomes.flatMap((outcome, number) => (outcome.status === 'rejected' ? [number] : [])),
        [7],
      )
      const read = await readTopic(nameServer(), topic, 19)
      assert.deepEqual(
        read.map(({ body }) => Number(String(body))).sort((a, b) => a - b),
        numbers(20).filter((number) => number !== 7),
      )
    })

    test('keep the order of their group when one among them is refused', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer(), { type: 'FIFO' })

      const outcomes = numbers(10).map((number) =>
        connection.publish(
          message(topic, `${number}`, { messageGroup: 'g', ...(number === 4 ? TOO_MUCH : {}) }),
        ),
      )

      await Promise.allSettled(outcomes)
      const read = await readTopic(nameServer(), topic, 9)
      assert.deepEqual(
        read.map(({ body }) => Number(String(body))),
        numbers(10).filter((number) => number !== 4),
      )
    })

    test('name what is wrong with the one that is refused', async (t) => {
      const connection = connect(t, address(), { protocol })
      const topic = await createTopic(nameServer())
      const others = numbers(5).map((number) => connection.publish(message(topic, `${number}`)))

      const error = failure(await settled(connection.publish(message(topic, 'x', TOO_MUCH))))

      await Promise.all(others)
      assert.equal(error.retryable, false)
      assert.match(error.message, /propert/i)
    })
  })
}

/** What holds over remoting besides. */
export function describeRemotingBatches(version: string, nameServer: () => string): void {
  describe(`messages published at the same moment to RocketMQ ${version}`, { concurrency: true }, () => {
    test('delayed messages published at the same moment are each delayed over remoting', async (t) => {
      const connection = connect(t, nameServer())
      const topic = await createTopic(nameServer())
      const published = Date.now()

      await Promise.all(
        numbers(3).map((number) => connection.publish(message(topic, `${number}`, { delayLevel: 1 }))),
      )

      for (const { storedAt } of await readTopic(nameServer(), topic, 3)) {
        assert.ok(storedAt - published >= 900, `seen after ${storedAt - published} ms`)
      }
    })

    test('compressed and uncompressed messages published at the same moment are all readable', async (t) => {
      const connection = connect(t, nameServer(), { compressOverBytes: 100 })
      const topic = await createTopic(nameServer())
      const values = numbers(10).map((number) => `${number} `.repeat(number % 2 === 0 ? 1 : 200))

      await Promise.all(values.map((value) => connection.publish(message(topic, value))))

      const read = await readTopic(nameServer(), topic, values.length)
      assert.deepEqual(read.map(({ body }) => String(body)).sort(), [...values].sort())
    })

    test('messages of several producer groups published at the same moment all arrive', async (t) => {
      const connection = connect(t, nameServer())
      const topic = await createTopic(nameServer())

      await Promise.all(
        numbers(6).map((number) =>
          connection.publish(
            message(topic, `${number}`, { messageGroup: 'g', producerGroup: `GID_${number % 2}` }),
          ),
        ),
      )

      const read = await readTopic(nameServer(), topic, 6)
      assert.deepEqual(
        read.map(({ body }) => Number(String(body))),
        numbers(6),
      )
    })
  })
}
