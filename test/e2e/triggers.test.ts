import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Adapter } from '../../src/adapters/adapter.js'
import { requestMoves, setState, updateTrigger } from '../../src/trigger/triggers.js'
import { completeJobs } from '../helpers/jobs.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import * as rocketmq from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import {
  deadLetters,
  send,
  start,
  startable,
  statuses,
  statusOf,
  triggerStates,
} from '../helpers/triggering.js'
import { waitFor } from '../helpers/wait-for.js'

const servers = testServers()
const { bootstrapServers } = servers.kafka
const { nameServer } = servers.rocketmq

test('Messages start processes, reach those that wait for them, and go on to other brokers', {
  concurrency: true,
}, async (t) => {
  const relay = await createRelay(t)
  await relay.startWorker()
  const kafkaAdapter = await relay.adapter({ kind: 'kafka', valueSerialization: 'json' })
  const rocketmqAdapter = await relay.adapter({ kind: 'rocketmq', valueSerialization: 'json' })
  const toKafka = kafka.kafkaConnection(t, bootstrapServers)
  const toRocketmq = rocketmq.connect(t, nameServer)

  await together(
    t.test('each starts an instance, with every digit of it', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers, { partitions: 3 })
      await relay.trigger({ adapterId: kafkaAdapter.id, topics: [topic], action: start(processId) })
      await send(toKafka, topic, ['{"id":9007199254740993,"price":100.0}'], {
        ...{ key: Buffer.from('customer'), timestamp: 1769846400123, headers: { colour: 'grün' } },
      })
      const [given = ''] = await variables(1)
      assert.match(given, /"payload":\{"id":9007199254740993,"price":100.0\}/)
      const { partition, ...attribute } = JSON.parse(given).attribute
      assert.ok(partition >= 0 && partition < 3)
      assert.deepEqual(attribute, {
        ...{ topic, offset: 0, timestamp: 1769846400123, key: 'customer', headers: { colour: 'grün' } },
      })
    }),

    t.test('a condition chooses them, and an expression makes the variables', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await rocketmq.createTopic(nameServer)
      await relay.trigger({
        ...{ adapterId: rocketmqAdapter.id, topics: [topic], action: start(processId) },
        ...{ activationCondition: 'value.n >= 2', variables: '{number: value.n, tag: tag}' },
      })
      await send(toRocketmq, topic, ['{"n":1}', '{"n":2}', '{"n":3}'], { tag: 'new' })
      const given = (await variables(2)).map((json) => JSON.parse(json))
      assert.deepEqual(
        given.sort((a, b) => a.number - b.number),
        [
          { number: 2, tag: 'new' },
          { number: 3, tag: 'new' },
        ],
      )
      await waitFor('all to be recorded', async () => (await statuses(relay, topic)).length === 3)
      assert.deepEqual((await statuses(relay, topic)).sort(), ['done', 'done', 'skipped'])
    }),

    t.test('one reaches the instance that waits for its key', async (t) => {
      const done = completeJobs(t)
      const name = `test-${randomUUID()}`
      const processId = await relay.processes.deployMessageThenTask({
        ...{ name, correlationKey: '=orderId', type: done.type },
      })
      await relay.processes.start(processId, { orderId: 'a' })
      const topic = await kafka.createTopic(bootstrapServers)
      await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], variables: '{paid: value.paid}' },
        action: { kind: 'message', name, correlationKey: 'value.order', messageId: null, ttlMs: 60_000 },
      })
      await send(toKafka, topic, ['{"order":"a","paid":true}'])
      assert.deepEqual(JSON.parse((await done.variables(1))[0] ?? ''), { orderId: 'a', paid: true })
    }),

    t.test('it goes from Kafka to RocketMQ and back to Kafka as it was', async () => {
      const first = await kafka.createTopic(bootstrapServers)
      const second = await rocketmq.createTopic(nameServer)
      const third = await kafka.createTopic(bootstrapServers)
      const forward = (to: Adapter, topic: string) => ({ kind: 'forward', adapterId: to.id, topic }) as const
      await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [first], action: forward(rocketmqAdapter, second) },
      })
      await relay.trigger({
        ...{ adapterId: rocketmqAdapter.id, topics: [second], action: forward(kafkaAdapter, third) },
      })
      await send(toKafka, first, ['not { JSON'], {
        ...{ key: Buffer.from('customer'), timestamp: 1769846400123, headers: { colour: 'grün' } },
      })
      const [message] = await kafka.readTopic(bootstrapServers, third, 1)
      assert.equal(String(message?.value), 'not { JSON')
      assert.equal(String(message?.key), 'customer')
      assert.equal(message?.timestamp, '1769846400123')
      assert.equal(String(message?.headers?.colour), 'grün')
      assert.equal(String(message?.headers?.['x-bpmn-relay-hops']), '2')
    }),

    t.test('one of a hundred that is poison is a dead letter, and holds nobody up', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers)
      const { id } = await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start(processId) },
        variables: 'if value.n = 50 then null else {n: value.n}',
      })
      await send(
        toKafka,
        topic,
        Array.from({ length: 100 }, (_, n) => JSON.stringify({ n })),
      )
      const started = (await variables(99)).map((json) => JSON.parse(json).n)
      assert.equal(new Set(started).size, 99)
      const letters = await deadLetters(relay, id, 1)
      assert.equal(letters[0]?.stage, 'variables')
      assert.match(letters[0]?.error_text ?? '', /it gives null, but must give a context/)
    }),

    t.test('what cannot be read is skipped where that is wanted', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers)
      const { id } = await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start(processId) },
        onUndeserializable: 'skip',
      })
      await send(toKafka, topic, ['{', '{"n":1}'])
      await variables(1)
      await waitFor('both to be recorded', async () => (await statuses(relay, topic)).length === 2)
      assert.deepEqual((await statuses(relay, topic)).sort(), ['done', 'skipped'])
      assert.equal((await deadLetters(relay, id, 0)).length, 0)
    }),

    t.test('a process that is not deployed makes dead letters until it is', async () => {
      const topic = await kafka.createTopic(bootstrapServers)
      const { id } = await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start('not-there') },
      })
      await send(toKafka, topic, ['1'])
      assert.match((await deadLetters(relay, id, 1))[0]?.error_text ?? '', /has no process "not-there"/)
    }),

    t.test('a changed trigger does the new thing with the next message', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers)
      const { id } = await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start(processId), variables: '{v: 1}' },
      })
      await send(toKafka, topic, ['1'])
      await variables(1)
      await updateTrigger(relay.database, id, { variables: '{v: 2}' }, await relay.triggerAdapters())
      const given = await waitFor('the new variables', async () => {
        await send(toKafka, topic, ['1'])
        const all = await variables(1)
        return all.at(-1)?.includes('2') && all
      })
      assert.equal(given[0], '{"v":1}')
    }),

    t.test('an adapter that finds its broker at last is consumed from', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers)
      const adapter = await relay.adapter({ kind: 'kafka', address: 'localhost:1' })
      const { id } = await relay.trigger({
        ...{ adapterId: adapter.id, topics: [topic], action: start(processId) },
      })
      await send(toKafka, topic, ['1'])
      const status = await statusOf(relay, id, ({ state }) => state === 'failing')
      assert.match(status.reason ?? '', /localhost:1/)
      await relay.store.updateAdapter(adapter.id, { address: bootstrapServers })
      await variables(1)
    }),

    t.test('a pattern finds topics that are made later', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const prefix = `test-${randomUUID()}`
      const { id } = await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topicPattern: `${prefix}-.*`, action: start(processId) },
      })
      const status = await statusOf(relay, id, ({ reason }) => /no topic matches/.test(reason ?? ''))
      assert.equal(status.state, 'waiting')
      for (const [index, name] of ['a', 'b'].entries()) {
        const topic = await kafka.createTopic(bootstrapServers, { name: `${prefix}-${name}` })
        await send(toKafka, topic, ['1'])
        // Looked for every 30 s, and at every change.
        await relay.store.setVariable({ name: `V${index}`, value: '1', secret: false, description: '' })
        await variables(index + 1)
      }
    }),

    t.test('a group that is moved back handles its messages again', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers, { partitions: 2 })
      const { id } = await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start(processId) },
      })
      await Promise.all([0, 1].map((partition) => send(toKafka, topic, ['1', '2', '3'], { partition })))
      await variables(6)
      await requestMoves(relay.database, id, [{ to: { at: 'offset', offset: '0' }, topic, partitions: [0] }])
      const all = (await variables(9)).map((json) => JSON.parse(json).attribute)
      assert.equal(all.filter(({ partition }) => partition === 0).length, 6)
    }),

    t.test('one is done with when the process that it started has ended', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const endless = await relay.processes.deployTask({ type: `test-${randomUUID()}` })
      const topic = await kafka.createTopic(bootstrapServers)
      const completed = (process: string, completionTimeoutMs: number) =>
        relay.trigger({
          ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start(process) },
          ...{ acknowledge: 'completed', completionTimeoutMs },
        })
      await completed(processId, 60_000)
      const { id } = await completed(endless, 2000)
      await send(toKafka, topic, ['1'])
      await variables(1)
      const [letter] = await deadLetters(relay, id, 1)
      assert.equal(letter?.stage, 'completion')
      assert.match(letter?.error_text ?? '', /may run on, but it has not ended after 2000 ms/)
      await waitFor('both to be recorded', async () => (await statuses(relay, topic)).length === 2)
      assert.deepEqual((await statuses(relay, topic)).sort(), ['done', 'rejected'])
    }),

    t.test('one may be acknowledged when it is received', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers)
      await relay.trigger({
        ...{ adapterId: kafkaAdapter.id, topics: [topic], action: start(processId) },
        acknowledge: 'received',
      })
      await send(toKafka, topic, ['1', '2', '3'])
      await variables(3)
    }),

    t.test('a paused or stopped trigger takes nothing, and goes on where it was', async (t) => {
      const { processId, variables } = await startable(t, relay)
      const control = await startable(t, relay)
      const topic = await kafka.createTopic(bootstrapServers)
      const trigger = { adapterId: kafkaAdapter.id, topics: [topic] }
      const { id } = await relay.trigger({ ...trigger, action: start(processId) })
      await relay.trigger({ ...trigger, action: start(control.processId) })
      await send(toKafka, topic, ['1'])
      await variables(1)
      await setState(relay.database, id, 'paused')
      await statusOf(relay, id, ({ state }) => state === 'paused')
      await send(toKafka, topic, ['2'])
      await control.variables(2)
      assert.equal((await variables(1)).length, 1)
      await setState(relay.database, id, 'running')
      await variables(2)
      await setState(relay.database, id, 'stopped')
      await waitFor('it to have left', async () => (await triggerStates(relay))[id] === undefined)
      await send(toKafka, topic, ['3'])
      await control.variables(3)
      assert.equal((await variables(2)).length, 2)
      await setState(relay.database, id, 'running')
      const offsets = (await variables(3)).map((json) => JSON.parse(json).attribute.offset)
      assert.deepEqual(offsets, [0, 1, 2])
    }),
  )
})

/** Subtests that share what a test has made, side by side. */
async function together(...subtests: Promise<void>[]): Promise<void> {
  await Promise.all(subtests)
}
