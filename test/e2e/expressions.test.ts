import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { applyTemplate } from '../helpers/apply-template.js'
import { readTemplate } from '../helpers/element-template.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import * as rocketmq from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

test('A task with expressions', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const { nameServer } = testServers().rocketmq
  const topics = {
    kafka: await kafka.createTopic(bootstrapServers),
    rocketmq: await rocketmq.createTopic(nameServer),
  }
  const adapters = {
    kafka: await relay.adapter({ kind: 'kafka' }),
    rocketmq: await relay.adapter({ kind: 'rocketmq' }),
  }
  await relay.startWorker()
  const inputs = (kind: 'kafka' | 'rocketmq') => ({
    adapterId: adapters[kind].id,
    topic: topics[kind],
    message: 'm',
  })
  /** Its partition does not exist. */
  const refused = { ...inputs('kafka'), partition: '=7' }

  await t.test('of Kafka maps its receipt to variables of the process', async () => {
    const processId = await relay.deploy('kafka', {
      inputs: inputs('kafka'),
      headers: {
        resultVariable: 'receipt',
        resultExpression: '={place: topic + "/" + string(partition), offset: response.offset}',
      },
    })
    const { receipt, ...mapped } = await relay.processes.run(processId, { order: 1 })
    const { offset } = Object(receipt)
    assert.deepEqual(mapped, { order: 1, place: `${topics.kafka}/0`, offset })
  })

  await t.test('of RocketMQ maps its receipt to variables of the process', async () => {
    const processId = await relay.deploy('rocketmq', {
      inputs: inputs('rocketmq'),
      headers: { resultExpression: '={id: response.messageId, sent: is defined(response.queueId)}' },
    })
    const { id, sent } = await relay.processes.run(processId)
    const messages = await rocketmq.readTopic(nameServer, topics.rocketmq, 1)
    assert.deepEqual([id, sent], [messages[0]?.messageId, true])
  })

  for (const kind of ['kafka', 'rocketmq'] as const) {
    await t.test(
      `of ${kind} ends with a BPMN error that the diagram catches, with its variables`,
      async () => {
        const processId = await relay.deploy(kind, {
          inputs: { ...inputs(kind), message: '={a: 1}', topic: 'no topic of this name' },
          headers: {
            errorExpression:
              '=if error.retryable then null else bpmnError("REFUSED", error.description, {why: error.code, left: job.retries})',
          },
          catches: { code: 'REFUSED', outputs: ['why', 'left'] },
        })
        const variables = await relay.processes.run(processId, { order: 3 })
        assert.deepEqual(variables, { order: 3, why: 'TOPIC_INVALID', left: 3 })
      },
    )
  }

  await t.test('ends with a BPMN error after a success, which stays recorded', async () => {
    const processId = await relay.deploy('kafka', {
      inputs: inputs('kafka'),
      headers: { errorExpression: '=if response.offset >= 0 then bpmnError("FULL") else null' },
      catches: { code: 'FULL' },
    })
    await relay.processes.run(processId)
    const thrown = await relay.gateway.accepted('bpmnError', await jobOf(processId))
    assert.deepEqual([thrown.code, thrown.message], ['FULL', ''])
    const [row] = await relay.database.query('SELECT status FROM sys_audit_log WHERE process_id = $1', [
      processId,
    ])
    assert.deepEqual(row, { status: 'published' })
  })

  await t.test('of an error nobody catches leaves an incident to the engine', async () => {
    const processId = await relay.deploy('kafka', {
      inputs: refused,
      headers: { errorExpression: '=bpmnError("NOBODY", error.description)' },
    })
    const key = await relay.processes.start(processId)
    const [row] = await relay.audit(key)
    const thrown = await relay.gateway.accepted('bpmnError', row?.job_key)
    assert.equal(thrown.code, 'NOBODY')
    assert.match(thrown.message, /partition/)
    assert.deepEqual([row?.status, row?.error_code], ['rejected', 'PARTITION_UNKNOWN'])
  })

  await t.test('fails with the retries of jobError, and is tried again after its pause', async () => {
    const processId = await relay.deploy('kafka', {
      inputs: refused,
      headers: {
        errorExpression:
          '=if job.retries > 1 then jobError("once more", {tried: true}, job.retries - 1, @"PT0.2S") else ignoreError({tries: "used up"})',
      },
      retries: 2,
    })
    const variables = await relay.processes.run(processId)
    assert.equal(variables.tries, 'used up')
    const failure = await relay.gateway.accepted('fail', await jobOf(processId))
    assert.deepEqual([failure.message, failure.retries], ['once more', 1])
    assert.equal(failure.variables.tried, true)
    assert.equal(Object(failure.variables.error).code, 'PARTITION_UNKNOWN')
  })

  await t.test('completes with the variables of ignoreError', async () => {
    const processId = await relay.deploy('kafka', {
      inputs: refused,
      headers: { resultVariable: 'receipt', errorExpression: '=ignoreError({skipped: error.code})' },
    })
    assert.deepEqual(await relay.processes.run(processId, { order: 2 }), {
      order: 2,
      skipped: 'PARTITION_UNKNOWN',
    })
  })

  await t.test('is held whatever its errorExpression says', async () => {
    const disabled = await relay.adapter({ kind: 'kafka', enabled: false })
    const processId = await relay.deploy('kafka', {
      inputs: { ...inputs('kafka'), adapterId: disabled.id },
      headers: { errorExpression: '=ignoreError({})' },
    })
    await relay.processes.start(processId)
    const hold = await waitFor('the hold', () =>
      relay.gateway.settled.find(({ message }) => message.startsWith('ADAPTER_DISABLED')),
    )
    assert.deepEqual([hold.kind, hold.retries], ['fail', 3])
  })

  const wrong: [what: string, headers: Record<string, string>, says: string][] = [
    [
      'a resultExpression that ends too early',
      { resultExpression: '={offset: response.offset' },
      'resultExpression, line 1, column 25: the expression ends too early\n{offset: response.offset\n                        ^',
    ],
    [
      'an errorExpression with a function that does not exist, in a branch never taken',
      { errorExpression: '=if error = null\nthen null\nelse bpmnErr("A")' },
      'errorExpression, line 3, column 6: there is no function "bpmnErr": use get or else, is defined, bpmnError, jobError, ignoreError or FEEL\'s own\nelse bpmnErr("A")\n     ^',
    ],
  ]
  for (const [what, headers, says] of wrong) {
    await t.test(`with ${what} becomes an incident that shows the place, and nothing is sent`, async () => {
      const topic = await kafka.createTopic(bootstrapServers)
      const catching = { errorExpression: '=ignoreError({})', ...headers }
      const processId = await relay.deploy('kafka', {
        inputs: { ...inputs('kafka'), topic },
        headers: catching,
      })
      const [row] = await relay.audit(await relay.processes.start(processId))
      const failure = await relay.gateway.accepted('fail', row?.job_key)
      assert.equal(failure.retries, 0)
      assert.ok(failure.message.startsWith(`EXPRESSION_INVALID: ${says}`), failure.message)
      assert.deepEqual([row?.status, row?.error_code], ['rejected', 'EXPRESSION_INVALID'])
      assert.deepEqual(await kafka.readTopic(bootstrapServers, topic, 0), [])
    })
  }

  await t.test('whose result is no context becomes an incident after the publish, which counts', async () => {
    const processId = await relay.deploy('kafka', {
      inputs: inputs('kafka'),
      headers: { resultExpression: '=response.topic' },
    })
    const [row] = await relay.audit(await relay.processes.start(processId))
    const failure = await relay.gateway.accepted('fail', row?.job_key)
    assert.equal(failure.retries, 0)
    assert.match(
      failure.message,
      /^EXPRESSION_INVALID: resultExpression: it gives "test-.*\nresponse\.topic\n/,
    )
    assert.equal(row?.status, 'published')
  })

  await t.test(
    'evaluates its errorExpression the same on a redelivery, and sends nothing again',
    async () => {
      const topic = await kafka.createTopic(bootstrapServers)
      const processId = await relay.deploy('kafka', {
        inputs: { ...inputs('kafka'), topic },
        headers: {
          errorExpression:
            '=if job.retries > 1 then jobError("again", {}, job.retries - 1) else bpmnError("LAST", "", {offset: response.offset})',
        },
        catches: { code: 'LAST', outputs: ['offset'] },
      })
      assert.deepEqual(await relay.processes.run(processId), { offset: 0 })
      assert.equal((await kafka.readTopic(bootstrapServers, topic, 1)).length, 1)
    },
  )

  await t.test('filled in from the template maps its receipt', async () => {
    const processId = `test-${randomUUID()}`
    const xml = await applyTemplate(
      readTemplate('kafka-producer.json'),
      {
        ...inputs('kafka'),
        resultExpression: '={sent: true}',
        errorExpression: '=if error != null then ignoreError({sent: false}) else null',
      },
      { processId },
    )
    await relay.processes.deploy(xml.replace('type="Kafka Producer"', `type="${relay.kafkaTask}"`))
    assert.deepEqual(await relay.processes.run(processId), { sent: true })
  })

  async function jobOf(processId: string): Promise<string> {
    const [row] = await relay.database.query<{ job_key: string }>(
      'SELECT job_key FROM sys_audit_log WHERE process_id = $1',
      [processId],
    )
    assert.ok(row)
    return row.job_key
  }
})
