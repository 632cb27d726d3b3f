import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { connect, createTopic, readTopic } from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq

describe('RocketMQ refuses for good', () => {
  test('a topic the gRPC proxy does not know, and says how to make it', async (t) => {
    const connection = connect(t, proxyEndpoint, { protocol: 'grpc' })
    const topic = `test-${randomUUID()}`

    const error = failure(await settled(connection.publish(message(topic, 'x'))))

    assert.equal(error.code, 'TOPIC_UNKNOWN')
    assert.match(error.message, new RegExp(`${topic}.*mqadmin updateTopic`))
  })

  test('nothing of the topics beside one that the proxy does not know', async (t) => {
    const connection = connect(t, proxyEndpoint, { protocol: 'grpc' })
    const topic = await createTopic(nameServer)
    await settled(connection.publish(message(`test-${randomUUID()}`, 'x')))

    await connection.publish(message(topic, 'x'))

    assert.equal((await readTopic(nameServer, topic, 1)).length, 1)
  })

  test('a group message for a topic of type NORMAL, and names the types', async (t) => {
    const connection = connect(t, proxyEndpoint, { protocol: 'grpc' })
    const topic = await createTopic(nameServer)

    const error = failure(await settled(connection.publish(message(topic, 'x', { messageGroup: 'g' }))))

    assert.equal(error.code, 'BROKER_REFUSED')
    assert.match(error.message, /messageGroup needs a topic of type FIFO/)
  })

  for (const [protocol, address] of [
    ['remoting', nameServer],
    ['grpc', proxyEndpoint],
  ] as const) {
    test(`a message above the limit of the broker over ${protocol}, naming that limit`, async (t) => {
      const connection = connect(t, address, { protocol, maxMessageBytes: 8 * 1024 * 1024 })
      const topic = await createTopic(nameServer)

      const error = failure(
        await settled(connection.publish(message(topic, 'x'.repeat(4 * 1024 * 1024 + 1)))),
      )

      assert.equal(error.code, 'MESSAGE_TOO_LARGE')
      assert.match(error.message, /4194304/)
    })

    test(`properties above the limit of the broker over ${protocol}`, async (t) => {
      const connection = connect(t, address, { protocol })
      const topic = await createTopic(nameServer)
      const headers = { long: 'x'.repeat(40_000) }

      const error = failure(await settled(connection.publish(message(topic, 'x', { headers }))))

      assert.equal(error.code, 'MESSAGE_TOO_LARGE')
      assert.match(error.message, /propert/)
    })

    test(`a topic of the system over ${protocol}`, async (t) => {
      const connection = connect(t, address, { protocol })

      const error = failure(await settled(connection.publish(message('SCHEDULE_TOPIC_XXXX', 'x'))))

      assert.equal(error.retryable, false)
      assert.match(error.message, /SCHEDULE_TOPIC_XXXX/)
    })
  }
})
