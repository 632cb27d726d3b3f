import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

const LIMIT = 5
const JOBS = 14

test('A task', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  await relay.startWorker()

  await t.test(
    'may forget its message: the result has no offset, and nothing keeps it from being sent again',
    async () => {
      const topic = await kafka.createTopic(bootstrapServers)
      const { id: adapterId } = await relay.adapter({ kind: 'kafka' })
      const processId = await relay.deploy('kafka', {
        inputs: { adapterId, topic, message: 'm', deliverySemantic: 'none' },
        headers: { resultVariable: 'receipt' },
      })

      const receipt = Object((await relay.processes.run(processId)).receipt)

      assert.deepEqual([receipt.topic, receipt.partition, receipt.offset], [topic, 0, null])
      const [record] = await kafka.readTopic(bootstrapServers, topic, 1)
      const key = String(record?.headers?.['x-process-instance-key'])
      const [row] = await relay.audit(key)
      assert.equal(row?.status, 'published')
      const known = await relay.database.query(
        'SELECT fingerprint FROM sys_audit_log WHERE process_instance_key = $1',
        [key],
      )
      assert.deepEqual(known, [{ fingerprint: null }])
    },
  )

  await t.test(
    'whose adapter is not audited is remembered by the ledger, as settled in the end',
    async () => {
      const topic = await kafka.createTopic(bootstrapServers)
      const { id: adapterId } = await relay.adapter({ kind: 'kafka', auditRequests: false })
      const processId = await relay.deploy('kafka', { inputs: { adapterId, topic, message: 'm' } })
      await relay.processes.run(processId)
      await waitFor('a settled row', async () => {
        const rows = await relay.database.query(
          `SELECT FROM publish_ledger AS ledger JOIN settled_mark AS mark ON ledger.job_key = ANY(mark.job_keys)
         WHERE mark.engine = ledger.engine`,
        )
        return rows.length === 1
      })
    },
  )

  await t.test('of an adapter with a rate limit waits for its turn, and no message is dropped', async () => {
    const topic = await kafka.createTopic(bootstrapServers)
    const { id: adapterId } = await relay.adapter({
      kind: 'kafka',
      settings: { maxMessagesPerSecond: LIMIT },
    })
    const processId = await relay.deploy('kafka', { inputs: { adapterId, topic, message: 'm' } })

    const running = Promise.all(Array.from({ length: JOBS }, () => relay.processes.run(processId)))
    const hold = await relay.gateway.accepted('fail')
    await running

    assert.equal(hold.retries, 3)
    assert.match(hold.message, /^ADAPTER_RATE_LIMITED: the adapter publishes at most 5 messages a second/)
    const times = (await kafka.readTopic(bootstrapServers, topic, JOBS)).map(({ timestamp }) =>
      Number(timestamp),
    )
    assert.equal(times.length, JOBS)
    const seconds = (Math.max(...times) - Math.min(...times)) / 1000
    assert.ok(seconds >= ((JOBS - 1) / LIMIT) * 0.95, `${JOBS} messages in ${seconds} s`)
  })

  await t.test('that asks for exactly-once gets an incident, and nothing is sent', async () => {
    const topic = await kafka.createTopic(bootstrapServers)
    const { id: adapterId } = await relay.adapter({ kind: 'kafka' })
    const processId = await relay.deploy('kafka', {
      inputs: { adapterId, topic, message: 'm', deliverySemantic: 'exactly-once' },
    })
    const [row] = await relay.audit(await relay.processes.start(processId))
    assert.equal(row?.error_code, 'INPUT_INVALID')
    assert.match(String(row?.error_text), /deliverySemantic is "exactly-once".*at-least-once or none/)
    assert.deepEqual(await kafka.readTopic(bootstrapServers, topic, 0), [])
  })
})
