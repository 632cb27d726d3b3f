import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { silentLog } from '../../../src/core/log.js'
import { message } from '../../contract/broker-contract.js'
import { connect, consumeOverGrpc, createTopic, readTopic } from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'
import { deadAddress, hangingServer } from '../../helpers/unwell-servers.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq
const protocols = [
  { protocol: 'remoting', address: nameServer },
  { protocol: 'grpc', address: proxyEndpoint },
]

for (const { protocol, address } of protocols) {
  describe(`a message published over ${protocol}`, () => {
    test('reaches a consumer with its body, tag, keys, properties and the id of the receipt', async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer)
      const rest = {
        tag: 'created',
        keys: ['order-1', 'customer-7'],
        headers: { 'x-request-id': 'r-1', 城市: '杭州' },
      }

      const receipt = await connection.publish(message(topic, 'Größe 消息 🚀', rest))

      const [read] = await consumeOverGrpc(proxyEndpoint, topic, 1)
      assert.equal(String(read?.body), 'Größe 消息 🚀')
      assert.equal(read?.tag, 'created')
      assert.deepEqual(read?.keys, ['order-1', 'customer-7'])
      assert.equal(read?.properties.get('x-request-id'), 'r-1')
      assert.equal(read?.properties.get('城市'), '杭州')
      assert.equal(receipt.kind === 'rocketmq' && receipt.messageId, read?.messageId)
    })

    test('keeps every byte of its body', async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer)
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

      await connection.publish({ ...message(topic, ''), value })

      const [read] = await readTopic(nameServer, topic, 1)
      assert.deepEqual(read?.body, value)
    })

    test('has a receipt that agrees with what the other protocol reads', async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer, { queues: 1 })

      const receipts = []
      for (const value of ['a', 'b', 'c']) receipts.push(await connection.publish(message(topic, value)))

      const read = await readTopic(nameServer, topic, 3)
      assert.deepEqual(
        receipts,
        read.map(({ messageId, queueOffset }) => ({
          kind: 'rocketmq',
          topic,
          messageId,
          // Over gRPC the proxy chooses the queue and keeps it to itself.
          queueId: protocol === 'remoting' ? 0 : null,
          queueOffset,
        })),
      )
    })

    test('keeps its place within its message group, and each group its queue', async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer, { type: 'FIFO' })
      const groups = Array.from({ length: 12 }, () => randomUUID())
      const messages = Array.from({ length: 20 }, (_, i) =>
        groups.map((messageGroup) => message(topic, `${messageGroup} ${i}`, { messageGroup })),
      ).flat()

      await Promise.all(messages.map((each) => connection.publish(each)))

      const read = await readTopic(nameServer, topic, messages.length)
      for (const group of groups) {
        const ofGroup = read.filter(({ body }) => String(body).startsWith(group))
        assert.deepEqual(
          ofGroup.map(({ body }) => String(body)),
          Array.from({ length: 20 }, (_, i) => `${group} ${i}`),
        )
        assert.equal(new Set(ofGroup.map(({ queueId }) => queueId)).size, 1)
      }
      assert.ok(new Set(read.map(({ queueId }) => queueId)).size > 1, 'all groups share one queue')
    })

    test('is seen by consumers as part of its group', async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer, { type: 'FIFO' })

      await connection.publish(message(topic, 'x', { messageGroup: 'order-1' }))

      const [read] = await consumeOverGrpc(proxyEndpoint, topic, 1)
      assert.equal(read?.messageGroup, 'order-1')
    })

    test('becomes visible no earlier than deliverAt says', async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer, { type: 'DELAY' })
      const deliverAt = Date.now() + 3000

      await connection.publish(message(topic, 'later', { deliverAt }))

      const [read] = await readTopic(nameServer, topic, 1)
      // The timer of RocketMQ ticks once a second.
      assert.ok(
        read && read.storedAt >= deliverAt - 1000,
        `seen ${Number(read?.storedAt) - deliverAt} ms off`,
      )
    })
  })
}

test('delayLevel 2 delays a message by about 5 seconds over grpc, on a topic of type DELAY', async (t) => {
  const connection = connect(t, proxyEndpoint, { protocol: 'grpc' })
  const topic = await createTopic(nameServer, { type: 'DELAY' })
  const published = Date.now()

  await connection.publish(message(topic, 'later', { delayLevel: 2 }))

  const [read] = await readTopic(nameServer, topic, 1)
  assert.ok(read && read.storedAt - published >= 4000, `seen after ${Number(read?.storedAt) - published} ms`)
})

test('a namespace stands before the topic on the broker, not in the receipt', async (t) => {
  const topic = await createTopic(nameServer)
  await createTopic(nameServer, { name: `shop%${topic}` })
  for (const { protocol, address } of protocols) {
    const connection = connect(t, address, { protocol, namespace: 'shop' })

    const receipt = await connection.publish(message(topic, protocol))

    assert.equal(receipt.topic, topic)
  }
  const read = await readTopic(nameServer, `shop%${topic}`, 2)
  assert.deepEqual(read.map(({ body }) => String(body)).sort(), ['grpc', 'remoting'])
})

test('publishes while one name server of the list is dead or never answers', async (t) => {
  const topic = await createTopic(nameServer)
  const unwell = [await deadAddress(), (await hangingServer(t)).address]
  const lists = unwell.flatMap((other) => [`${other};${nameServer}`, `${nameServer};${other}`])

  for (const list of lists) {
    await connect(t, list, { connectTimeoutMs: 1000 }).publish(message(topic, list))
  }

  const read = await readTopic(nameServer, topic, lists.length)
  assert.deepEqual(read.map(({ body }) => String(body)).sort(), [...lists].sort())
})

test('what the library behind remoting has to tell goes to our log, for debugging', async (t) => {
  const told: string[] = []
  const log = { ...silentLog, debug: (text: string) => void told.push(text) }
  const connection = connect(t, nameServer, {}, log)

  await connection.check()

  assert.ok(
    told.some((text) => text.includes('[mq:remoting_client]')),
    told.join(),
  )
})
