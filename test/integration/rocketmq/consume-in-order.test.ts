import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { consume, newGroup, textOf } from '../../helpers/consuming.js'
import { connect, createTopic, subscribeOver } from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq

const subscribe = subscribeOver(nameServer)

describe('a RocketMQ subscription that keeps an order', { concurrency: true }, () => {
  test('handles the messages of a queue one after the other, and repeats one in its place', async (t) => {
    const topic = await createTopic(nameServer, { queues: 2 })
    const publisher = connect(t, nameServer)
    const atWork = new Map<number, number>()
    let most = 0
    const { messages } = await consume(
      t,
      subscribe,
      { topics: [{ topic }], order: 'queue' },
      async (each) => {
        const { partition } = each.queue
        atWork.set(partition, (atWork.get(partition) ?? 0) + 1)
        most = Math.max(most, ...atWork.values())
        await new Promise(setImmediate)
        atWork.set(partition, (atWork.get(partition) ?? 0) - 1)
        if (textOf(each).endsWith('-5') && each.attempt < 3) throw new Error('not yet')
      },
    )
    const groups = ['a', 'b', 'c', 'd']

    for (let i = 0; i < 20; i++) {
      for (const messageGroup of groups) {
        await publisher.publish(message(topic, `${messageGroup}-${i}`, { messageGroup }))
      }
    }

    await waitFor('all messages', () => messages.length === 4 * 22)
    assert.equal(most, 1)
    const order = [0, 1, 2, 3, 4, 5, 5, 5, ...Array.from({ length: 14 }, (_, i) => i + 6)]
    for (const group of groups) {
      const ofGroup = messages.filter((each) => each.messageGroup === group)
      assert.deepEqual(
        ofGroup.map(textOf),
        order.map((i) => `${group}-${i}`),
      )
      assert.deepEqual(
        ofGroup.slice(5, 8).map(({ attempt }) => attempt),
        [1, 2, 3],
      )
    }
  })

  test('keeps the order of each queue while a second member joins', async (t) => {
    const topic = await createTopic(nameServer, { queues: 4 })
    const publisher = connect(t, nameServer)
    const group = newGroup()
    const handled: string[] = []
    const record = async (each: { value: Buffer | null }) => {
      await new Promise(setImmediate)
      handled.push(String(each.value))
    }
    const first = await consume(t, subscribe, { group, topics: [{ topic }], order: 'queue' }, record)
    let sent = 0
    const publishing = async (until: () => boolean) => {
      while (!until()) {
        assert.ok(sent < 3000, 'a member gets nothing')
        await Promise.all(
          Array.from({ length: 8 }, (_, i) =>
            publisher.publish(message(topic, `${i} ${sent}`, { messageGroup: `${i}` })),
          ),
        )
        sent++
      }
    }
    await publishing(() => first.messages.length > 50)

    const second = await consume(t, subscribe, { group, topics: [{ topic }], order: 'queue' }, record)
    await publishing(() => second.messages.length > 50)

    await waitFor('all messages', () => new Set(handled).size === 8 * sent)
    for (let i = 0; i < 8; i++) {
      const ofGroup = [...new Set(handled.filter((text) => text.startsWith(`${i} `)))]
      assert.deepEqual(
        ofGroup,
        Array.from({ length: sent }, (_, n) => `${i} ${n}`),
      )
    }
  })

  test('is refused over grpc where the servers do not keep it for the group, with the command that makes them', async () => {
    const topic = await createTopic(nameServer, { type: 'FIFO' })
    const group = newGroup()
    const source = { group, topics: [{ topic }], order: 'key', from: { at: 'latest' } } as const

    const error = failure(
      await settled(subscribeOver(proxyEndpoint, { protocol: 'grpc' })(source, async () => undefined)),
    )

    assert.equal(error.code, 'NOT_SUPPORTED')
    assert.ok(error.message.includes(`mqadmin updateSubGroup -g ${group} -o true`), error.message)
  })
})
