import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { message } from '../../contract/broker-contract.js'
import { answerSwallower } from '../../helpers/answer-swallower.js'
import { consume, Gate, newGroup, textOf } from '../../helpers/consuming.js'
import {
  brokerAddress,
  connect,
  createOrderedGroup,
  createTopic,
  readTopic,
  subscribeOver,
} from '../../helpers/rocketmq.js'
import { mqadmin } from '../../helpers/rocketmq-java.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq
const REDELIVERY_MS = 60_000
/** As the request says it, whatever the library puts around. */
const SEND_BACK = '{"code":36,'

const overRemoting = subscribeOver(nameServer)
const overGrpc = subscribeOver(proxyEndpoint, { protocol: 'grpc' })

describe('a RocketMQ subscription whose messages fail', { concurrency: true }, () => {
  for (const [protocol, address] of [
    ['remoting', nameServer],
    ['grpc', proxyEndpoint],
  ] as const) {
    test(`puts one that keeps failing among the dead letters of its group over ${protocol}, where mqadmin finds it`, async (t) => {
      const topic = await createTopic(nameServer)
      const group = newGroup()
      const publisher = connect(t, nameServer)
      const { messages } = await consume(
        t,
        subscribeOver(address, { protocol, maxReconsumeTimes: 1 }),
        { group, topics: [{ topic }] },
        () => {
          throw new Error('never')
        },
      )

      const receipt = await publisher.publish(
        message(topic, 'unloved', { tag: 'T', keys: ['k'], headers: { city: 'Berlin' } }),
      )

      const deadLetters = `%DLQ%${group}`
      const [dead] = await waitForTopic(deadLetters)
      assert.deepEqual(
        messages.map(({ attempt }) => attempt),
        [1, 2],
      )
      assert.equal(String(dead?.body), 'unloved')
      const printed = await mqadmin(nameServer, 'printMsg', '-t', deadLetters)
      assert.ok(receipt.kind === 'rocketmq' && printed.includes(receipt.messageId), printed)
      for (const part of ['BODY: unloved', 'TAGS=T', 'KEYS=k', 'city=Berlin']) {
        assert.ok(printed.includes(part), `${part} is not in ${printed}`)
      }
    })
  }

  test('lets the queue go on over remoting once one that keeps its order is a dead letter', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1 })
    const group = newGroup()
    const publisher = connect(t, nameServer)
    const { messages } = await consume(
      t,
      overRemoting,
      { group, topics: [{ topic }], order: 'queue', maxRedeliveries: 1 },
      (each) => {
        if (textOf(each) === 'unloved') throw new Error('never')
      },
    )

    for (const value of ['before', 'unloved', 'after']) await publisher.publish(message(topic, value))

    await waitFor('the last', () => messages.some((each) => textOf(each) === 'after'))
    assert.deepEqual(messages.map(textOf), ['before', 'unloved', 'unloved', 'after'])
    const [dead] = await waitForTopic(`%DLQ%${group}`)
    assert.equal(String(dead?.body), 'unloved')
  })

  test('keeps one that cannot be sent back over remoting, handles it again, and does not pass it', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1 })
    const publisher = connect(t, nameServer)
    const broker = await answerSwallower(t, await brokerAddress(nameServer))
    const names = await answerSwallower(t, nameServer, broker)
    broker.refuseRequests(SEND_BACK)
    const gate = new Gate()
    // No redeliveries are left from the start: this is where others drop it.
    const { messages, subscription } = await consume(
      t,
      subscribeOver(names.address),
      { topics: [{ topic }], maxRedeliveries: 0 },
      async (each) => {
        if (textOf(each) !== 'bad') return
        if (each.attempt < 3) throw new Error('not yet')
        await gate.opened
      },
    )
    for (const value of ['bad', 'good']) await publisher.publish(message(topic, value))

    await waitFor('the third attempt', () => messages.length >= 4)
    const [before] = await subscription.positions()
    gate.open()

    await waitFor('the queue to be consumed', async () => (await subscription.positions())[0]?.lag === '0')
    assert.equal(broker.refused(), 2)
    assert.equal(before?.offset, '0')
    assert.deepEqual(messages.map(textOf).sort(), ['bad', 'bad', 'bad', 'good'])
    assert.equal(new Set(messages.map(({ id }) => id)).size, 2)
  })

  test('gives one that could not be sent back over remoting to the next member', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1 })
    const group = newGroup()
    const publisher = connect(t, nameServer)
    const broker = await answerSwallower(t, await brokerAddress(nameServer))
    const names = await answerSwallower(t, nameServer, broker)
    broker.refuseRequests(SEND_BACK)
    const first = await consume(
      t,
      subscribeOver(names.address),
      { group, topics: [{ topic }], maxRedeliveries: 0 },
      () => {
        throw new Error('never')
      },
    )
    await publisher.publish(message(topic, 'bad'))
    await waitFor('a send-back', () => broker.refused() > 0)
    await first.subscription.close()

    const second = await consume(t, overRemoting, { group, topics: [{ topic }] })

    await waitFor('the message', () => second.messages.length > 0)
    assert.deepEqual(second.messages.map(textOf), ['bad'])
  })

  test('lets the messages behind go on over grpc once one that keeps its order is a dead letter', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1, type: 'FIFO' })
    const group = await createOrderedGroup(nameServer)
    const publisher = connect(t, nameServer)
    const source = { group, topics: [{ topic }], order: 'queue', maxRedeliveries: 1 } as const
    const { messages } = await consume(t, overGrpc, source, (each) => {
      if (textOf(each) === 'unloved') throw new Error('never')
    })

    for (const value of ['before', 'unloved', 'after']) {
      await publisher.publish(message(topic, value, { messageGroup: 'g' }))
    }

    await waitFor('the last', () => messages.some((each) => textOf(each) === 'after'))
    assert.deepEqual(messages.map(textOf), ['before', 'unloved', 'unloved', 'after'])
    const [dead] = await waitForTopic(`%DLQ%${group}`)
    assert.equal(String(dead?.body), 'unloved')
  })

  test('acknowledges again over grpc what the proxy did not answer, so that it does not come again', async (t) => {
    const topic = await createTopic(nameServer)
    const group = newGroup()
    const publisher = connect(t, nameServer)
    const proxy = await answerSwallower(t, proxyEndpoint)
    // The proxy names its own address in routes; this one also puts itself there.
    proxy.redirectTo(proxy)
    const first = await consume(
      t,
      subscribeOver(proxy.address, { protocol: 'grpc', connectTimeoutMs: 1000 }),
      { group, topics: [{ topic }] },
      () => proxy.cutAll(),
    )
    await publisher.publish(message(topic, 'cut'))
    await waitFor('the message', () => first.messages.length === 1)
    await waitFor('the acknowledgement', () => first.subscription.status().handling === 0)
    await first.subscription.close()

    const second = await consume(t, overGrpc, { group, topics: [{ topic }] })
    await publisher.publish(message(topic, 'witness'))

    await waitFor('the witness', () => second.messages.length > 0)
    assert.deepEqual(second.messages.map(textOf), ['witness'])
  })
})

/** Dead letters appear some time after the last failure. */
function waitForTopic(topic: string) {
  return waitFor(
    `a message in ${topic}`,
    () => readTopic(nameServer, topic, 1).catch(() => undefined),
    REDELIVERY_MS,
  )
}
