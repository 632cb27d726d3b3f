import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import type { Variables } from '../helpers/processes.js'
import { createRelay } from '../helpers/relay.js'
import * as rocketmq from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

interface Case {
  /** Completes the sentence "… raises an incident". */
  what: string
  kind?: 'kafka' | 'rocketmq'
  /** Instead of the good ones. */
  inputs?: Record<string, string>
  headers?: Record<string, string>
  variables?: Variables
  code: string
  /** What the text must name: field, value and cure. */
  says: (string | RegExp)[]
}

test('A task that cannot be published', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const topics = {
    kafka: await kafka.createTopic(bootstrapServers, {
      partitions: 3,
      config: { 'max.message.bytes': '2000' },
    }),
    plain: await kafka.createTopic(bootstrapServers),
    rocketmq: await rocketmq.createTopic(testServers().rocketmq.nameServer),
  }
  await relay.store.setVariable({ name: 'KAFKA', value: bootstrapServers, secret: false, description: '' })
  const adapters = {
    kafka: await relay.adapter({ kind: 'kafka' }),
    rocketmq: await relay.adapter({ kind: 'rocketmq', settings: { maxMessageBytes: 5000 } }),
  }
  const homeless = await relay.adapter({ kind: 'kafka', address: '@env(KAFKA)' })
  await relay.store.deleteVariable('KAFKA', { force: true })
  await relay.startWorker()

  const cases: Case[] = [
    {
      what: 'an unknown adapter',
      inputs: { adapterId: 'nobody' },
      code: 'ADAPTER_UNKNOWN',
      says: ['adapterId "nobody"', 'bpmn-relay adapter list'],
    },
    {
      what: 'an adapter of the other kind',
      inputs: { adapterId: adapters.rocketmq.name },
      code: 'ADAPTER_WRONG_KIND',
      says: [adapters.rocketmq.name, 'kind rocketmq', 'one of kind kafka'],
    },
    {
      what: 'an adapter whose environment variable does not exist',
      inputs: { adapterId: homeless.id },
      code: 'ENV_UNKNOWN',
      says: [`address of adapter "${homeless.name}"`, '"KAFKA"', 'bpmn-relay env set KAFKA'],
    },
    {
      what: 'an adapterId whose environment variable does not exist',
      inputs: { adapterId: '@env(NO_SUCH)' },
      code: 'ENV_UNKNOWN',
      says: ['adapterId', '"NO_SUCH"', 'bpmn-relay env set NO_SUCH'],
    },
    {
      what: 'a missing adapterId',
      inputs: { adapterId: '=null' },
      code: 'INPUT_INVALID',
      says: ['adapterId is missing', 'give it as an input'],
    },
    {
      what: 'an empty topic',
      inputs: { topic: '=""' },
      code: 'INPUT_INVALID',
      says: ['topic is missing', 'give it as an input'],
    },
    {
      what: 'a topic that is no text',
      inputs: { topic: '=17' },
      code: 'INPUT_INVALID',
      says: ['topic is 17', 'must be a text'],
    },
    {
      what: 'a topic with a NUL in its name',
      inputs: { topic: '=given' },
      variables: { given: 'a\0b' },
      code: 'TOPIC_INVALID',
      says: [/topic/],
    },
    {
      what: 'headers that are no object',
      inputs: { headers: '=["a"]' },
      code: 'INPUT_INVALID',
      says: ['headers is ["a"]', 'must be an object'],
    },
    {
      what: 'a header that is no text',
      inputs: { headers: '={count: 3}' },
      code: 'INPUT_INVALID',
      says: ['headers.count is 3', 'must be a text'],
    },
    {
      what: 'a partition that is no number',
      inputs: { partition: 'first' },
      code: 'INPUT_INVALID',
      says: ['partition is "first"', 'a whole number'],
    },
    {
      what: 'a timestamp that is no time',
      inputs: { timestamp: 'yesterday' },
      code: 'INPUT_INVALID',
      says: ['timestamp is "yesterday"', '2026-01-31T12:00:00Z'],
    },
    {
      what: 'a request id with blanks',
      inputs: { requestId: 'my request' },
      code: 'INPUT_INVALID',
      says: ['requestId is "my request"', 'visible ASCII'],
    },
    {
      what: 'a retryBackoff that is no duration',
      headers: { retryBackoff: '30 seconds' },
      code: 'INPUT_INVALID',
      says: ['retryBackoff is "30 seconds"', 'PT30S'],
    },
    {
      what: 'a partition that the topic does not have',
      inputs: { partition: '=3' },
      code: 'PARTITION_UNKNOWN',
      says: ['partition', '3', topics.kafka, /0.*2/],
    },
    {
      what: 'a message over the limit of the Kafka topic',
      inputs: { message: '={a: string join(for i in 1..500 return "12345")}' },
      code: 'MESSAGE_TOO_LARGE',
      says: [topics.kafka, 'max.message.bytes', '2000'],
    },
    {
      what: 'a message of 1 MiB and a byte, over the limit Kafka has by default',
      inputs: { topic: topics.plain, message: '=given' },
      variables: { given: 'x'.repeat(1024 * 1024 + 1) },
      code: 'MESSAGE_TOO_LARGE',
      says: ['max.message.bytes', '1048588'],
    },
    {
      what: 'a message over the limit of the RocketMQ adapter',
      kind: 'rocketmq',
      inputs: { message: '={a: string join(for i in 1..1100 return "12345")}' },
      code: 'MESSAGE_TOO_LARGE',
      says: ['5000', 'maxMessageBytes'],
    },
    {
      what: 'a delay level that does not exist',
      kind: 'rocketmq',
      inputs: { delayLevel: '=19' },
      code: 'INPUT_INVALID',
      says: ['delayLevel is 19', 'from 1 to 18'],
    },
    {
      what: 'keys that are no texts',
      kind: 'rocketmq',
      inputs: { keys: '=[true]' },
      code: 'INPUT_INVALID',
      says: ['keys is [true]', 'a list of texts'],
    },
  ]

  const incidentsBefore = await pendingIncidents()
  for (const { what, kind = 'kafka', inputs, headers, variables, code, says } of cases) {
    await t.test(`${what} raises an incident that names the cure`, async () => {
      const good = { adapterId: adapters[kind].id, topic: topics[kind], message: 'm' }
      const task = { inputs: { ...good, ...inputs }, ...(headers && { headers }) }
      const key = await relay.processes.start(await relay.deploy(kind, task), variables)
      const [row] = await relay.audit(key)
      assert.ok(row)
      const failure = await relay.gateway.accepted('fail', row.job_key)

      assert.equal(failure.retries, 0)
      for (const part of says) {
        if (typeof part === 'string') assert.ok(failure.message.includes(part), failure.message)
        else assert.match(failure.message, part)
      }
      const { description, ...error } = Object(failure.variables.error)
      assert.deepEqual(error, { code, retryable: false, requestId: row.request_id })
      assert.ok(failure.message.includes(description))
      assert.deepEqual([row.status, row.error_code, row.attempt], ['rejected', code, 1])
    })
  }

  await t.test('the engine has the incidents', async () => {
    await waitFor('the incidents', async () => (await pendingIncidents()) >= incidentsBefore + cases.length)
  })
})

async function pendingIncidents(): Promise<number> {
  const answer = await fetch(`${testServers().zeebe.managementUrl}/actuator/prometheus`)
  const [, pending] = /^zeebe_pending_incidents_total{.*} (\S+)$/m.exec(await answer.text()) ?? []
  return Number(pending ?? 0)
}
