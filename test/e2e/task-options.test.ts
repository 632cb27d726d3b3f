import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { AdapterEntity } from '../../src/db/entities.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'

test('A task', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers)
  const adapter = await relay.adapter({ kind: 'kafka' })
  await relay.startWorker()

  await t.test(
    'of a disabled adapter is held with its retries, and published once it is enabled',
    async () => {
      const disabled = await relay.adapter({ kind: 'kafka', enabled: false })
      const processId = await relay.deploy('kafka', {
        inputs: { adapterId: disabled.id, topic },
        headers: { resultVariable: 'receipt' },
      })
      const startedAt = performance.now()
      const ended = relay.processes.run(processId, { order: 1 })
      const hold = await relay.gateway.accepted('fail')
      assert.equal(hold.retries, 3)
      // Part of it the worker may have spent itself.
      const awayMs = performance.now() - startedAt + hold.backOffMs
      assert.ok(awayMs >= 5000, `${awayMs} ms`)
      assert.match(hold.message, new RegExp(`^ADAPTER_DISABLED: adapter "${disabled.name}" is disabled`))

      await relay.database.orm.getRepository(AdapterEntity).update({ id: disabled.id }, { enabled: true })
      assert.equal(Object((await ended).receipt).topic, topic)
      const [counted] = await relay.database.query<{ calls: number; held: number }>(
        'SELECT sum(calls)::int AS calls, sum(held)::int AS held FROM sla_counter WHERE adapter_id = $1',
        [disabled.id],
      )
      assert.equal(counted?.calls, 1)
      assert.ok(counted.held >= 1)
    },
  )

  await t.test('may give its own request id, which goes everywhere', async () => {
    const requestId = `order-${randomUUID()}`
    const processId = await relay.deploy('kafka', {
      inputs: { adapterId: adapter.id, topic, requestId, message: 'm' },
      headers: { resultVariable: 'receipt' },
    })
    const receipt = Object((await relay.processes.run(processId)).receipt)
    assert.equal(receipt.requestId, requestId)
    const records = await kafka.readTopic(bootstrapServers, topic, Number(receipt.offset) + 1)
    const headers = records.at(-1)?.headers
    assert.equal(String(headers?.['x-request-id']), requestId)
    const [row] = await relay.audit(String(headers?.['x-process-instance-key']))
    assert.equal(row?.request_id, requestId)
  })

  await t.test('may name its adapter by an environment variable', async () => {
    await relay.store.setVariable({ name: 'SALES', value: adapter.name, secret: false, description: '' })
    const processId = await relay.deploy('kafka', {
      inputs: { adapterId: '@env(SALES)', topic, message: 'm' },
    })
    const key = await relay.processes.start(processId)
    const [row] = await relay.audit(key)
    assert.deepEqual([row?.status, row?.adapter_name], ['published', adapter.name])
  })

  await t.test('may give its inputs as task headers', async () => {
    const processId = await relay.deploy('kafka', { headers: { adapterId: adapter.id, topic, key: 'k' } })
    const key = await relay.processes.start(processId, { order: 2 })
    const [row] = await relay.audit(key)
    assert.deepEqual([row?.status, row?.destination], ['published', topic])
  })

  await t.test('without resultVariable adds no variable to the process', async () => {
    const processId = await relay.deploy('kafka', { inputs: { adapterId: adapter.id, topic, message: 'm' } })
    assert.deepEqual(await relay.processes.run(processId, { order: 3 }), { order: 3 })
  })
})

test('An adapter whose sends may outlast the job timeout raises an incident naming both settings', async (t) => {
  const relay = await createRelay(t)
  const topic = await kafka.createTopic(testServers().kafka.bootstrapServers)
  const slow = await relay.adapter({ kind: 'kafka', settings: { requestTimeoutMs: 5000 } })
  await relay.startWorker({ BPMN_RELAY_JOB_TIMEOUT_MS: '5000' })
  await relay.processes.start(await relay.deploy('kafka', { inputs: { adapterId: slow.id, topic } }))
  const failure = await relay.gateway.accepted('fail')
  assert.equal(failure.retries, 0)
  assert.match(failure.message, /^SETTINGS_INVALID: .*BPMN_RELAY_JOB_TIMEOUT_MS is 5000/)
  assert.ok(failure.message.includes(`adapter "${slow.name}"`), failure.message)
})
