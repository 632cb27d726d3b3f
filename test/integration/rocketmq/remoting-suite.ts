import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import type { Receipt } from '../../../src/brokers/broker.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { answerSwallower } from '../../helpers/answer-swallower.js'
import { brokerAddress, connect, createTopic, readTopic } from '../../helpers/rocketmq.js'
import { mqadmin, produceWithJava } from '../../helpers/rocketmq-java.js'

/** What the driver promises over remoting with every version of RocketMQ. */
export function describeRemoting(version: string, nameServer: () => string): void {
  describe(`a message over remoting on RocketMQ ${version}`, { concurrency: true }, () => {
    test("is what RocketMQ's own admin tool reads, where the receipt says", async (t) => {
      const topic = await createTopic(nameServer(), { queues: 2 })
      const connection = connect(t, nameServer(), { compressOverBytes: 100 })
      const rest = { tag: 'created', keys: ['order-1', 'customer-7'], headers: { 'x-request-id': 'r-1' } }
      const large = 'compressible '.repeat(50).trim()

      const receipts = [
        idAndPlace(await connection.publish(message(topic, 'Größe 消息 🚀', rest))),
        idAndPlace(await connection.publish(message(topic, large))),
      ]

      const printed = (await mqadmin(nameServer(), 'printMsg', '-t', topic, '-c', 'UTF-8')).split('\n')
      const lines = receipts.map(({ messageId, queueId, queueOffset }) => {
        const line = printed.find((each) => each.startsWith(`MSGID: ${messageId} `)) ?? ''
        assert.ok(line.includes(`queueId=${queueId}, `), line)
        assert.ok(line.includes(`queueOffset=${queueOffset}, `), line)
        return line
      })
      for (const part of [
        'TAGS=created',
        'KEYS=order-1 customer-7',
        'x-request-id=r-1',
        'BODY: Größe 消息 🚀',
      ]) {
        assert.ok(lines[0]?.includes(part), lines[0])
      }
      assert.ok(lines[1]?.endsWith(`BODY: ${large}`), lines[1])
    })

    test('keeps its place within its message group, and each group its queue', async (t) => {
      const topic = await createTopic(nameServer())
      const connection = connect(t, nameServer())
      const groups = Array.from({ length: 8 }, () => randomUUID())
      const messages = Array.from({ length: 10 }, (_, i) =>
        groups.map((messageGroup) => message(topic, `${messageGroup} ${i}`, { messageGroup })),
      ).flat()

      const receipts = await Promise.all(messages.map((each) => connection.publish(each)))

      const read = await readTopic(nameServer(), topic, messages.length)
      for (const group of groups) {
        const ofGroup = read.filter(({ body }) => String(body).startsWith(group))
        assert.deepEqual(
          ofGroup.map(({ body }) => String(body)),
          Array.from({ length: 10 }, (_, i) => `${group} ${i}`),
        )
        assert.equal(new Set(ofGroup.map(({ queueId }) => queueId)).size, 1)
      }
      const places = new Map(read.map((each) => [each.messageId, `${each.queueId} ${each.queueOffset}`]))
      for (const { messageId, queueId, queueOffset } of receipts.map(idAndPlace)) {
        assert.equal(`${queueId} ${queueOffset}`, places.get(messageId))
      }
    })

    test('is delayed by about 5 seconds at delayLevel 2', async (t) => {
      const topic = await createTopic(nameServer())
      const published = Date.now()

      await connect(t, nameServer()).publish(message(topic, 'later', { delayLevel: 2 }))

      const [read] = await readTopic(nameServer(), topic, 1)
      assert.ok(
        read && read.storedAt - published >= 4500,
        `seen after ${Number(read?.storedAt) - published} ms`,
      )
    })

    test('makes its topic where there is none, and keeps the order of its group there', async (t) => {
      const connection = connect(t, nameServer())
      const topic = `test-${randomUUID()}`
      const values = Array.from({ length: 30 }, (_, i) => `${i}`)

      for (const value of values) await connection.publish(message(topic, value, { messageGroup: 'g' }))

      const read = await readTopic(nameServer(), topic, values.length)
      assert.deepEqual(
        read.map(({ body }) => String(body)),
        values,
      )
    })

    test('goes under the same message id and with the same body again when its answer is lost', async (t) => {
      const topic = await createTopic(nameServer())
      const broker = await losingAnswers(t, nameServer())
      const connection = connect(t, broker.names, { compressOverBytes: 1000 })
      await connection.publish(message(topic, 'warm-up'))
      broker.loseNext()
      const large = 'compressible '.repeat(1000)

      const receipt = idAndPlace(await connection.publish(message(topic, large)))

      const copies = (await readTopic(nameServer(), topic, 3)).filter(({ body }) => String(body) === large)
      assert.deepEqual(
        copies.map(({ messageId }) => messageId),
        Array(2).fill(receipt.messageId),
      )
    })

    test('is refused above the limit of the broker, naming that limit', async (t) => {
      const topic = await createTopic(nameServer())
      const connection = connect(t, nameServer(), { maxMessageBytes: 8 * 1024 * 1024 })

      const error = failure(
        await settled(connection.publish(message(topic, 'x'.repeat(4 * 1024 * 1024 + 1)))),
      )

      assert.equal(error.code, 'MESSAGE_TOO_LARGE')
      assert.match(error.message, /4194304/)
    })

    test('is read back with keys, tag and body where a Java producer compressed it', async () => {
      const topic = await createTopic(nameServer(), { queues: 1 })
      const body = 'compressible '.repeat(1000)

      const ids = await produceWithJava(nameServer(), [{ topic, body, tag: 'paid', keys: 'order-2' }])

      const read = await readTopic(nameServer(), topic, 1)
      assert.deepEqual(
        read.map((each) => [each.messageId, each.properties.TAGS, each.properties.KEYS, String(each.body)]),
        [[ids[0], 'paid', 'order-2', body]],
      )
    })
  })
}

function idAndPlace(receipt: Receipt) {
  assert.ok(receipt.kind === 'rocketmq')
  const { messageId, queueId, queueOffset } = receipt
  return { messageId, queueId, queueOffset }
}

/** A name server and a broker that can lose the answer to a send. */
async function losingAnswers(t: TestContext, nameServer: string) {
  const broker = await answerSwallower(t, await brokerAddress(nameServer))
  const names = await answerSwallower(t, nameServer, broker)
  return { names: names.address, loseNext: () => broker.swallowNext('queueOffset') }
}
