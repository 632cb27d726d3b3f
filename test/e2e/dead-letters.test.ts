import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { updateTrigger } from '../../src/trigger/triggers.js'
import { commandLine, ok } from '../helpers/cli.js'
import { completeJobs } from '../helpers/jobs.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { waitFor } from '../helpers/wait-for.js'

const { kafka: broker, zeebe } = testServers()

test('A poison message starts its process once its trigger is mended and it is replayed', async (t) => {
  const cli = await commandLine(t)
  const relay = await createRelay(t, { databaseUrl: cli.databaseUrl })
  await relay.startWorker()
  const { type, variables } = completeJobs(t)
  const processId = await relay.processes.deployTask({ type })
  const adapter = await relay.adapter({ kind: 'kafka', valueSerialization: 'json' })
  const topic = await kafka.createTopic(broker.bootstrapServers)
  const deadLetterTopic = await kafka.createTopic(broker.bootstrapServers)
  const trigger = await relay.trigger({
    ...{ adapterId: adapter.id, topics: [topic], deadLetterTopic },
    variables: 'if value.n = null then null else {n: value.n}',
    action: { kind: 'start', processId, version: null },
  })
  const connection = kafka.kafkaConnection(t, broker.bootstrapServers)
  for (const value of ['{"number":9007199254740993}', '{"n":2}']) {
    await connection.publish({ topic, requestId: randomUUID(), headers: {}, value: Buffer.from(value) })
  }

  const [id] = await waitFor('the dead letter', async () => {
    const rows = await relay.database.query<{ id: string }>('SELECT id FROM dead_letter')
    return rows.length === 1 && rows.map((row) => row.id)
  })
  assert.ok(id)
  assert.deepEqual(await variables(1), ['{"n":2}'])
  const [sent] = await kafka.readTopic(broker.bootstrapServers, deadLetterTopic, 1)
  assert.equal(String(sent?.value), '{"number":9007199254740993}')
  assert.equal(String(sent?.headers?.['__connect.errors.stage']), 'variables')

  await updateTrigger(relay.database, trigger.id, { variables: null }, await relay.triggerAdapters())
  const args = ['dead-letter', 'replay', '--trigger', trigger.name, '--yes']
  const { code, stdout, stderr } = await cli.run(args, { env: { ZEEBE_ADDRESS: zeebe.address } })
  assert.equal(code, 0, stderr)
  assert.match(stdout, new RegExp(`^${id}: replayed: process instance \\d+ is started\n`))
  const [, given] = await variables(2)
  assert.match(given ?? '', /"payload":\{"number":9007199254740993\}/)
  assert.match(await ok(cli, ['dead-letter', 'list', '--state', 'any']), new RegExp(` replayed .*${id}`))
})
