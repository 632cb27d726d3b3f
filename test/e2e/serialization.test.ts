import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { NewAdapter } from '../../src/adapters/adapter.js'
import { startSchemaRegistry } from '../../src/stack/schema-registry.js'
import * as kafka from '../helpers/kafka.js'
import { registryProxy } from '../helpers/registry-proxy.js'
import { createRelay } from '../helpers/relay.js'
import * as rocketmq from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'

const DROPPING = `export const serialize = (value) => {
  if (value.broken) throw new Error('the order has no lines')
  return value.test ? null : 'order ' + value.id
}`

test('A task publishes through an adapter', async (t) => {
  const relay = await createRelay(t)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(path.join(folder, 'orders.mjs'), DROPPING)
  const registry = await startSchemaRegistry({
    folder: path.join(folder, 'registry'),
    onProgress: () => undefined,
  })
  t.after(() => registry.stop())
  const { bootstrapServers } = testServers().kafka
  const { nameServer } = testServers().rocketmq
  await relay.startWorker({ BPMN_RELAY_MODULES_FOLDER: folder })

  /** Topic and process of a task that publishes through an adapter of its own. */
  async function taskOf(
    adapter: Partial<NewAdapter>,
    inputs: Record<string, string>,
    headers: Record<string, string> = { resultVariable: 'receipt' },
  ) {
    const { id: adapterId } = await relay.adapter({ ...adapter, kind: 'kafka' })
    const topic = await kafka.createTopic(bootstrapServers, { partitions: 3 })
    const processId = await relay.deploy('kafka', { inputs: { adapterId, topic, ...inputs }, headers })
    return { topic, processId, adapterId }
  }

  await t.test('with numbers as Java writes them, and all else a record may have', async () => {
    const { topic, processId } = await taskOf(
      { keySerialization: 'long', valueSerialization: 'double' },
      {
        key: '=id',
        message: '=0.1',
        partition: '=2',
        timestamp: '2026-01-31T12:00:00Z',
        headers: '={many: ["a", "b"], binary: {base64: "AP8="}}',
      },
    )
    await relay.processes.runExactly(processId, '{"id":9223372036854775807}')
    const [record] = await kafka.readTopic(bootstrapServers, topic, 1)
    assert.ok(record)
    assert.equal(record.key?.toString('hex'), '7fffffffffffffff')
    assert.equal(record.value?.toString('hex'), '3fb999999999999a')
    assert.deepEqual([record.partition, record.timestamp], [2, '1769860800000'])
    assert.deepEqual(record.headers?.many?.toString(), 'a,b')
    assert.deepEqual(record.headers?.binary, Buffer.of(0, 255))
  })

  await t.test('with a tombstone and without a key, whatever the serialization', async () => {
    const { topic, processId } = await taskOf(
      { keySerialization: 'uuid', valueSerialization: 'long' },
      { key: '=null', message: '=null' },
    )
    await relay.processes.run(processId)
    const [record] = await kafka.readTopic(bootstrapServers, topic, 1)
    assert.deepEqual([record?.key, record?.value], [null, null])
  })

  await t.test('to RocketMQ with the serialization of its values', async () => {
    const { id: adapterId } = await relay.adapter({ kind: 'rocketmq', valueSerialization: 'short' })
    const topic = await rocketmq.createTopic(nameServer)
    await relay.processes.run(
      await relay.deploy('rocketmq', { inputs: { adapterId, topic, message: '=-2' } }),
    )
    const [message] = await rocketmq.readTopic(nameServer, topic, 1)
    assert.equal(message?.body.toString('hex'), 'fffe')
  })

  const schema = JSON.stringify({
    type: 'record',
    name: 'Order',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'note', type: ['null', 'string'], default: null },
    ],
  })

  await t.test('with a schema it registers, its digits kept', async () => {
    const { topic, processId } = await taskOf(
      {
        valueSerialization: 'avro',
        settings: { schemaRegistry: { url: registry.url, value: { schema, register: true } } },
      },
      { message: '={id: id, note: "n"}' },
    )
    await relay.processes.runExactly(processId, '{"id":9223372036854775807}')
    const [record] = await kafka.readTopic(bootstrapServers, topic, 1)
    const answer = await fetch(`${registry.url}/subjects/${topic}-value/versions/latest`)
    assert.equal(record?.value?.readUInt32BE(1), Object(await answer.json()).id)
    assert.equal(record?.value?.subarray(5).toString('hex'), 'feffffffffffffffff0102026e')
  })

  await t.test('and an incident says what does not fit its schema', async () => {
    const { processId } = await taskOf(
      {
        valueSerialization: 'avro',
        settings: { schemaRegistry: { url: registry.url, value: { schema, register: true } } },
      },
      { message: '={id: "x"}' },
    )
    const key = await relay.processes.start(processId)
    const [row] = await relay.audit(key)
    assert.deepEqual([row?.status, row?.error_code], ['rejected', 'VALUE_NOT_SERIALIZABLE'])
    assert.match(row?.error_text ?? '', /message\.id is "x": it must be a whole number/)
    assert.equal((await relay.gateway.accepted('fail', row?.job_key)).retries, 0)
  })

  await t.test('again after its schema registry was down', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    proxy.fault = 503
    const { processId } = await taskOf(
      {
        valueSerialization: 'avro',
        settings: { schemaRegistry: { url: proxy.url, value: { schema, register: true } } },
      },
      { message: '={id: 1}' },
      { retryBackoff: 'PT1S' },
    )
    const key = await relay.processes.start(processId)
    const [failed] = await relay.audit(key)
    assert.deepEqual([failed?.status, failed?.error_code], ['failed', 'SCHEMA_REGISTRY_UNREACHABLE'])
    proxy.fault = undefined
    assert.equal((await relay.gateway.accepted('fail', failed?.job_key)).retries, 2)
    const [, published] = await relay.audit(key, 2)
    assert.equal(published?.status, 'published')
  })

  await t.test('and is done when the module of the adapter drops the record', async () => {
    const custom = { valueSerialization: 'custom', settings: { valueModule: 'orders.mjs' } }
    const { topic, processId, adapterId } = await taskOf(custom, { message: '={test: true, id: 1}' })
    const { receipt } = await relay.processes.run(processId)
    const { requestId, ...rest } = Object(receipt)
    assert.deepEqual(rest, { topic, skipped: true })
    const [row] = await relay.database.query<{ status: string; receipt: string | null; response: string }>(
      'SELECT status, receipt, response FROM sys_audit_log WHERE request_id = $1',
      [requestId],
    )
    assert.deepEqual(row, { status: 'skipped', receipt: null, response: JSON.stringify(receipt) })
    const [counted] = await relay.database.query(
      'SELECT sum(calls)::int AS calls, sum(errors)::int AS errors FROM sla_counter WHERE adapter_id = $1',
      [adapterId],
    )
    assert.deepEqual(counted, { calls: 1, errors: 0 })
  })

  await t.test('with the bytes its module makes', async () => {
    const custom = { valueSerialization: 'custom', settings: { valueModule: 'orders.mjs' } }
    const { topic, processId } = await taskOf(custom, { message: '={id: 7}' })
    await relay.processes.run(processId)
    const [record] = await kafka.readTopic(bootstrapServers, topic, 1)
    assert.equal(String(record?.value), 'order 7')
  })

  await t.test('and an incident has the words of its module', async () => {
    const custom = { valueSerialization: 'custom', settings: { valueModule: 'orders.mjs' } }
    const { processId } = await taskOf(custom, { message: '={broken: true}' })
    const [row] = await relay.audit(await relay.processes.start(processId))
    assert.deepEqual([row?.status, row?.error_code], ['rejected', 'VALUE_NOT_SERIALIZABLE'])
    assert.match(row?.error_text ?? '', /refused by serialize of orders\.mjs: the order has no lines/)
  })
})
