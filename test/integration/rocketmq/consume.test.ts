import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { failure, message, settled } from '../../contract/broker-contract.js'
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
import { mqadmin, produceWithJava } from '../../helpers/rocketmq-java.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq
const REDELIVERY_MS = 60_000

const subscribe = subscribeOver(nameServer)

// Starting Java takes long: one producer serves both protocols.
test('body, tag, keys, properties and all compressions of a Java producer are read over both protocols', async (t) => {
  const topic = await createTopic(nameServer)
  const remoting = await consume(t, subscribe, { topics: [{ topic }] })
  const grpc = await consume(t, subscribeOver(proxyEndpoint, { protocol: 'grpc' }), { topics: [{ topic }] })
  const large = 'compressible '.repeat(1000)

  const ids = await produceWithJava(nameServer, [
    {
      topic,
      body: 'Größe 消息 🚀',
      tag: 'created',
      keys: 'order-1 customer-7',
      properties: { 城市: '杭州=x&y' },
    },
    { topic, body: `zlib ${large}` },
    { topic, body: `lz4 ${large}`, compression: 'LZ4' },
    { topic, body: `zstd ${large}`, compression: 'ZSTD' },
    { topic, body: 'grouped', messageGroup: 'order-7' },
  ])

  for (const { messages } of [remoting, grpc]) {
    await waitFor('all of them', () => messages.length === ids.length)
    const byId = new Map(messages.map((each) => [each.id, each]))
    assert.deepEqual(
      ids.map((id) => {
        const each = byId.get(id)
        return each && [textOf(each), each.tag, each.keys, each.headers, each.messageGroup]
      }),
      [
        ['Größe 消息 🚀', 'created', ['order-1', 'customer-7'], { 城市: '杭州=x&y' }, undefined],
        [`zlib ${large}`, undefined, undefined, {}, undefined],
        [`lz4 ${large}`, undefined, undefined, {}, undefined],
        [`zstd ${large}`, undefined, undefined, {}, undefined],
        ['grouped', undefined, undefined, {}, 'order-7'],
      ],
    )
  }
})

for (const [protocol, address] of [
  ['remoting', nameServer],
  ['grpc', proxyEndpoint],
] as const) {
  const join = subscribeOver(address, { protocol })

  describe(`a RocketMQ subscription over ${protocol}`, { concurrency: true }, () => {
    test('gets only the tags it asks for', async (t) => {
      const topic = await createTopic(nameServer)
      const publisher = connect(t, nameServer)
      // "AaAa" and "BBBB" have one hash, which is all that brokers compare.
      const { messages } = await consume(t, join, {
        topics: [{ topic, filter: { tags: ['AaAa', 'other'] } }],
      })

      for (const tag of ['BBBB', 'AaAa', 'none of them', 'other']) {
        await publisher.publish(message(topic, tag, { tag, messageGroup: 'one queue' }))
      }

      await waitFor('the last', () => messages.some((each) => textOf(each) === 'other'))
      assert.deepEqual(messages.map(textOf), ['AaAa', 'other'])
    })

    test('gets only what its SQL expression lets through', async (t) => {
      const topic = await createTopic(nameServer)
      const publisher = connect(t, nameServer)
      const filter = { sql: "amount > 100 AND city IN ('Berlin', 'Hangzhou')" }
      const { messages } = await consume(t, join, { topics: [{ topic, filter }] })

      for (const [amount, city] of [
        ['50', 'Berlin'],
        ['150', 'Berlin'],
        ['200', 'Paris'],
        ['300', 'Hangzhou'],
      ] as const) {
        const headers = { amount, city }
        await publisher.publish(message(topic, amount, { headers, messageGroup: 'one queue' }))
      }

      await waitFor('the last', () => messages.some((each) => textOf(each) === '300'))
      assert.deepEqual(messages.map(textOf), ['150', '300'])
    })

    test('puts a message that keeps failing among the dead letters of its group, where mqadmin finds it', async (t) => {
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

    test('consumes a topic and a group behind a namespace under their names without it', async (t) => {
      const topic = await createTopic(nameServer)
      await createTopic(nameServer, { name: `shop%${topic}` })
      const publisher = connect(t, nameServer, { namespace: 'shop' })
      const { messages } = await consume(t, subscribeOver(address, { protocol, namespace: 'shop' }), {
        topics: [{ topic }],
      })

      await publisher.publish(message(topic, 'x'))

      await waitFor('the message', () => messages.length === 1)
      assert.equal(messages[0]?.topic, topic)
      assert.equal(messages[0]?.queue.topic, topic)
    })
  })
}

describe('a RocketMQ subscription over remoting alone', { concurrency: true }, () => {
  test('is refused with an SQL expression the broker cannot read, in the words of the broker', async () => {
    const topic = await createTopic(nameServer)
    const source = { group: newGroup(), topics: [{ topic, filter: { sql: 'amount >' } }] }

    const error = failure(
      await settled(subscribe({ ...source, from: { at: 'latest' } }, async () => undefined)),
    )

    assert.equal(error.code, 'INPUT_INVALID')
    assert.match(error.message, /correct the SQL expression/)
    assert.ok(error.message.includes(topic), error.message)
  })

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

  test('lets the queue go on once a message that keeps its order is a dead letter', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1 })
    const group = newGroup()
    const publisher = connect(t, nameServer)
    const { messages } = await consume(
      t,
      subscribe,
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

  test('keeps a message that cannot be sent back, handles it again, and does not pass it', async (t) => {
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

  test('gives a message that could not be sent back to the next member', async (t) => {
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

    const second = await consume(t, subscribe, { group, topics: [{ topic }] })

    await waitFor('the message', () => second.messages.length > 0)
    assert.deepEqual(second.messages.map(textOf), ['bad'])
  })

  test('gives every member all messages when broadcasting, each of which repeats what it could not handle', async (t) => {
    const topic = await createTopic(nameServer)
    const group = newGroup()
    const publisher = connect(t, nameServer)
    const source = { group, topics: [{ topic }], mode: 'broadcasting' } as const
    const one = await consume(t, subscribe, source, (each) => {
      if (textOf(each) === '7' && each.attempt === 1) throw new Error('not yet')
    })
    const two = await consume(t, subscribe, source)
    const values = Array.from({ length: 20 }, (_, i) => `${i}`)

    await Promise.all(values.map((value) => publisher.publish(message(topic, value))))

    await waitFor('all messages', () => one.messages.length === 21 && two.messages.length === 20)
    assert.deepEqual(one.messages.map(textOf).sort(), ['7', ...values].sort())
    assert.deepEqual(two.messages.map(textOf).sort(), [...values].sort())
  })

  test('begins where it is told at every start when broadcasting', async (t) => {
    const topic = await createTopic(nameServer)
    const publisher = connect(t, nameServer)
    await publisher.publish(message(topic, 'x'))
    const source = {
      group: newGroup(),
      topics: [{ topic }],
      mode: 'broadcasting',
      from: { at: 'earliest' },
    } as const
    const first = await consume(t, subscribe, source)
    await waitFor('the message', () => first.messages.length === 1)
    await first.subscription.close()

    const second = await consume(t, subscribe, source)

    await waitFor('the message again', () => second.messages.length === 1)
  })

  test('takes the number of handlers and the size of a batch from the adapter', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1 })
    const publisher = connect(t, nameServer)
    for (let i = 0; i < 30; i++) await publisher.publish(message(topic, `${i}`))
    const gate = new Gate()
    const sizes: number[] = []
    const subscription = await subscribeOver(nameServer, {
      consumeThreadMin: 2,
      consumeThreadMax: 2,
      consumeMessageBatchMaxSize: 7,
    })({ group: newGroup(), topics: [{ topic }], from: { at: 'earliest' } }, async (batch) => {
      sizes.push(batch.length)
      await gate.opened
    })
    t.after(async () => {
      gate.open()
      await subscription.close()
    })

    await waitFor('two handlers', () => sizes.length === 2)

    assert.deepEqual(sizes, [7, 7])
    assert.equal(subscription.status().handling, 2)
  })
})

describe('a RocketMQ subscription over grpc alone', { concurrency: true }, () => {
  const join = subscribeOver(proxyEndpoint, { protocol: 'grpc' })

  test('lets the messages behind go on once one that keeps its order is a dead letter', async (t) => {
    const topic = await createTopic(nameServer, { queues: 1, type: 'FIFO' })
    const group = await createOrderedGroup(nameServer)
    const publisher = connect(t, nameServer)
    const source = { group, topics: [{ topic }], order: 'queue', maxRedeliveries: 1 } as const
    const { messages } = await consume(t, join, source, (each) => {
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

  test('acknowledges again what the proxy did not answer, so that it does not come again', async (t) => {
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

    const second = await consume(t, join, { group, topics: [{ topic }] })
    await publisher.publish(message(topic, 'witness'))

    await waitFor('the witness', () => second.messages.length > 0)
    assert.deepEqual(second.messages.map(textOf), ['witness'])
  })

  const topics = [{ topic: 'some-topic' }]
  const refused = {
    'broadcasting, which the protocol lacks': { mode: 'broadcasting' },
    'a place to begin at, which the servers choose': { from: { at: 'earliest' } },
  } as const
  for (const [what, field] of Object.entries(refused)) {
    test(`refuses ${what}, naming the other protocol`, async () => {
      const source = { group: newGroup(), topics, from: { at: 'latest' }, ...field } as const

      const error = failure(await settled(join(source, async () => undefined)))

      assert.equal(error.code, 'NOT_SUPPORTED')
      assert.match(error.message, /use .*protocol "remoting"/)
    })
  }

  test('refuses an order that the servers do not keep for the group, with the command that makes them', async () => {
    const topic = await createTopic(nameServer, { type: 'FIFO' })
    const group = newGroup()
    const source = { group, topics: [{ topic }], order: 'key', from: { at: 'latest' } } as const

    const error = failure(await settled(join(source, async () => undefined)))

    assert.equal(error.code, 'NOT_SUPPORTED')
    assert.ok(error.message.includes(`mqadmin updateSubGroup -g ${group} -o true`), error.message)
  })
})

/** As the request says it, whatever the library puts around. */
const SEND_BACK = '{"code":36,'

/** Dead letters appear some time after the last failure. */
function waitForTopic(topic: string) {
  return waitFor(
    `a message in ${topic}`,
    () => readTopic(nameServer, topic, 1).catch(() => undefined),
    REDELIVERY_MS,
  )
}
