import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { consume, Gate, newGroup, textOf } from '../../helpers/consuming.js'
import { connect, createTopic, subscribeOver } from '../../helpers/rocketmq.js'
import { produceWithJava } from '../../helpers/rocketmq-java.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq

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
})
