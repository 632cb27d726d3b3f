import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { applyTemplate } from '../helpers/apply-template.js'
import { readTemplate } from '../helpers/element-template.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import * as rocketmq from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

// The only tests of tasks with the standard types: every worker takes jobs of those.
test('The shipped diagrams and templates', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const { nameServer } = testServers().rocketmq
  const kafkaTopic = await kafka.createTopic(bootstrapServers)
  const rocketmqTopic = await rocketmq.createTopic(nameServer)
  const orders = await relay.adapter({ kind: 'kafka', name: 'orders-kafka' })
  const announcements = await relay.adapter({ kind: 'rocketmq', name: 'orders-rocketmq' })
  await relay.startWorker()

  await t.test('the example process publishes an order to both brokers and leaves its records', async (t) => {
    await relay.processes.deploy(await readFile('bpmn/order-published.bpmn', 'utf8'))
    const order = { orderId: randomUUID(), customer: '李雷', amount: 12.5 }
    const variables = await relay.processes.run('order-published', { ...order, kafkaTopic, rocketmqTopic })

    const [record] = await kafka.readTopic(bootstrapServers, kafkaTopic, 1)
    const [message] = await rocketmq.readTopic(nameServer, rocketmqTopic, 1)
    assert.ok(record && message)
    const instanceKey = String(record.headers?.['x-process-instance-key'])
    const [first, second] = await relay.audit(instanceKey, 2)
    assert.ok(first && second)

    await t.test('the Kafka record has value, key and headers', () => {
      assert.deepEqual(JSON.parse(String(record.value)), order)
      assert.equal(String(record.key), order.orderId)
      assert.deepEqual(texts(record.headers), {
        source: 'order-published',
        'x-request-id': first.request_id,
        'x-process-instance-key': first.process_instance_key,
        'x-job-key': first.job_key,
        'x-element-id': 'PublishToKafka',
      })
    })

    await t.test('the RocketMQ message has body, tag, keys and properties', () => {
      assert.deepEqual(JSON.parse(String(message.body)), order)
      const { TAGS, KEYS, source, ...properties } = message.properties
      assert.deepEqual([TAGS, KEYS, source], ['placed', order.orderId, 'order-published'])
      assert.equal(properties['x-request-id'], second.request_id)
      assert.equal(properties['x-process-instance-key'], second.process_instance_key)
      assert.equal(properties['x-job-key'], second.job_key)
      assert.equal(properties['x-element-id'], 'AnnounceOnRocketMQ')
    })

    await t.test('the process gets the receipts in the result variables', () => {
      assert.deepEqual(variables.kafkaReceipt, {
        requestId: first.request_id,
        topic: kafkaTopic,
        partition: 0,
        offset: 0,
        timestamp: Number(record.timestamp),
      })
      assert.deepEqual(variables.rocketmqReceipt, {
        requestId: second.request_id,
        topic: rocketmqTopic,
        messageId: message.messageId,
        queueId: message.queueId,
        queueOffset: Number(message.queueOffset),
      })
    })

    await t.test('each call has an audit row', () => {
      const shown = [first, second].map((row) => [
        row.status,
        row.adapter_name,
        row.adapter_kind,
        row.destination,
        row.process_id,
        row.element_id,
        row.attempt,
      ])
      assert.deepEqual(shown, [
        ['published', orders.name, 'kafka', kafkaTopic, 'order-published', 'PublishToKafka', 1],
        [
          'published',
          announcements.name,
          'rocketmq',
          rocketmqTopic,
          'order-published',
          'AnnounceOnRocketMQ',
          1,
        ],
      ])
      assert.deepEqual(JSON.parse(first.receipt ?? ''), variables.kafkaReceipt)
      assert.deepEqual(JSON.parse(first.request ?? '').message, order)
    })

    await t.test('each call is counted', async () => {
      for (const adapter of [orders, announcements]) {
        const [counted] = await relay.database.query(
          `SELECT sum(calls)::int AS calls, sum(errors)::int AS errors, sum(held)::int AS held, max(process_id) AS process
           FROM sla_counter WHERE adapter_id = $1 AND operation = 'publish'`,
          [adapter.id],
        )
        assert.deepEqual(counted, { calls: 1, errors: 0, held: 0, process: 'order-published' })
      }
    })

    await t.test('no call has a row in the ledger, too', async () => {
      assert.deepEqual(await relay.database.query('SELECT FROM publish_ledger'), [])
    })
  })

  await t.test('the message of an order starts the next process', async () => {
    await relay.processes.deploy(await readFile('bpmn/order-started-by-message.bpmn', 'utf8'))
    const { id: adapterId } = await relay.adapter({ kind: 'kafka', valueSerialization: 'json' })
    await relay.trigger({
      ...{ adapterId, topics: [kafkaTopic], variables: '={order: value}' },
      action: { kind: 'start', processId: 'order-started-by-message', version: null },
    })
    const [started, another] = await waitFor('the message to start it', async () => {
      const rows = await relay.database.query(
        `SELECT status, process_id, start.request_id = publish.request_id AS "isTraced"
         FROM sys_audit_log AS start, (SELECT request_id FROM sys_audit_log WHERE element_id = 'PublishToKafka') AS publish
         WHERE source = 'trigger'`,
      )
      return rows.length > 0 && rows
    })
    assert.equal(another, undefined)
    assert.deepEqual(started, { status: 'done', process_id: 'order-started-by-message', isTraced: true })
  })

  await t.test('a task filled in from the Kafka template publishes', async () => {
    const topic = await kafka.createTopic(bootstrapServers, { partitions: 2 })
    const processId = `test-${randomUUID()}`
    await relay.processes.deploy(
      await applyTemplate(
        readTemplate('kafka-producer.json'),
        {
          adapterId: orders.id,
          topic: '=topicName',
          message: '={id: order.id}',
          key: '=order.id',
          headers: '={colour: "blue"}',
          partition: '1',
          timestamp: '1700000000000',
          requestId: '="request-" + order.id',
          resultVariable: 'receipt',
        },
        { processId },
      ),
    )
    const { receipt } = await relay.processes.run(processId, { topicName: topic, order: { id: 'o-7' } })
    const [record] = await kafka.readTopic(bootstrapServers, topic, 1)
    assert.deepEqual(receipt, {
      requestId: 'request-o-7',
      topic,
      partition: 1,
      offset: 0,
      timestamp: 1_700_000_000_000,
    })
    assert.deepEqual(
      [
        record?.partition,
        String(record?.key),
        String(record?.value),
        record?.timestamp,
        texts(record?.headers).colour,
      ],
      [1, 'o-7', '{"id":"o-7"}', '1700000000000', 'blue'],
    )
  })

  await t.test('a task filled in from the RocketMQ template publishes', async () => {
    const topic = await rocketmq.createTopic(nameServer)
    const processId = `test-${randomUUID()}`
    await relay.processes.deploy(
      await applyTemplate(
        readTemplate('rocketmq-producer.json'),
        {
          adapterId: announcements.name,
          topic,
          message: 'plain text',
          keys: '=[order.id, "second"]',
          tag: 'news',
          properties: '={colour: "blue"}',
          resultVariable: 'receipt',
        },
        { processId },
      ),
    )
    const { receipt } = await relay.processes.run(processId, { order: { id: 'o-8' } })
    const [message] = await rocketmq.readTopic(nameServer, topic, 1)
    assert.ok(message)
    const { TAGS, KEYS, colour, 'x-request-id': requestId } = message.properties
    assert.deepEqual([String(message.body), TAGS, KEYS, colour], ['plain text', 'news', 'o-8 second', 'blue'])
    assert.deepEqual(receipt, {
      requestId,
      topic,
      messageId: message.messageId,
      queueId: message.queueId,
      queueOffset: Number(message.queueOffset),
    })
  })
})

function texts(headers: kafka.ReadMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]))
}
