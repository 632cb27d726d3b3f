import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createTrigger, deleteTrigger } from '../../../src/trigger/triggers.js'
import { ok, refused } from '../../helpers/cli.js'
import { deadLetterCli, giveUp } from '../../helpers/dead-letters.js'
import { processesOn } from '../../helpers/processes.js'
import { testServers } from '../../helpers/servers.js'
import { triggerAdapter } from '../../helpers/trigger-adapter.js'

test('Dead letters replayed at the command line', async (t) => {
  const { cli, database, adapter } = await deadLetterCli(t)
  const { zeebe } = testServers()
  const processes = processesOn(t, zeebe.address)
  const replay = (args: string[], address = zeebe.address) =>
    cli.run(['dead-letter', 'replay', ...args], { env: { ZEEBE_ADDRESS: address } })
  const adapters = (id: string) => triggerAdapter('kafka', { id })
  const processId = `order-${randomUUID()}`
  const trigger = await createTrigger(
    database,
    {
      ...{
        name: 'start-orders',
        adapterId: adapter.id,
        topics: ['orders'],
        variables: '{n: value.missing + 1}',
      },
      action: { kind: 'start', processId, version: null },
    },
    adapters,
  )
  let offset = 0
  const letter = (value = '{"n":1}') =>
    giveUp(database, { offset: String(++offset), value: Buffer.from(value) }, { trigger, adapter })

  const stuck = await letter()

  await t.test('wait on with the new reason while what is wrong is not mended', async () => {
    const { code, stdout, stderr } = await replay([stuck])
    assert.equal(code, 1)
    assert.match(stdout, new RegExp(`^${stuck}: failed again: PROCESS_UNKNOWN: .*"${processId}"`))
    assert.match(stdout, /\nReplayed: 0 dead letters\.\nFailed again, and waiting on: 1\.\n$/)
    assert.match(stderr, new RegExp(`^PROCESS_UNKNOWN: dead letter ${stuck}: `))
    assert.match(await ok(cli, ['dead-letter', 'list']), new RegExp(` 4 +action +${stuck} +PROCESS_UNKNOWN`))
  })

  await processes.deployTask({ type: randomUUID(), processId })

  await t.test('start their process once it is', async () => {
    const { code, stdout, stderr } = await replay([stuck])
    assert.equal(code, 0, stderr)
    const [, key] =
      new RegExp(`^${stuck}: replayed: process instance (\\d+) is started\\n`).exec(stdout) ?? []
    assert.ok(key, stdout)
    const rows = await database.query(
      `SELECT operation, status, process_instance_key, attempt FROM sys_audit_log WHERE source IN ('trigger', 'admin')
       AND operation <> 'adapter.create' ORDER BY at, source DESC`,
    )
    assert.deepEqual(rows, [
      { operation: 'trigger.start', status: 'rejected', process_instance_key: null, attempt: 4 },
      { operation: 'dead-letter.replay', status: 'rejected', process_instance_key: null, attempt: 1 },
      { operation: 'trigger.start', status: 'done', process_instance_key: key, attempt: 5 },
      { operation: 'dead-letter.replay', status: 'done', process_instance_key: null, attempt: 1 },
    ])
    assert.match(await ok(cli, ['dead-letter', 'show', stuck]), /state +replayed\n/)
    await refused(cli, ['dead-letter', 'replay', stuck], 1, /INPUT_INVALID: .* does not wait any more/)
  })

  await t.test('stop while the engine is away, and tell how many are left', async () => {
    const ids = [await letter(), await letter()]
    const { code, stdout, stderr } = await replay(['--topic', 'orders', '--yes'], `127.0.0.1:1`)
    assert.equal(code, 1)
    assert.match(stdout, /Replayed: 0 dead letters\.\nNot begun with, or not ended, and waiting on: 2\.\n$/)
    assert.match(
      stderr,
      /ENGINE_UNREACHABLE: .*; 0 dead letters replayed, 2 left: replay those once it is back/,
    )
    assert.match(
      await ok(cli, ['dead-letter', 'show', ids[0] ?? '']),
      /attempts +3\n.*errorCode +EXPRESSION_INVALID/s,
    )
  })

  await t.test('go all at the pace that is wanted, with what is wrong told apart', async () => {
    await letter('{')
    const args = ['--all', '--rate', '50/s', '--json']
    await refused(cli, ['dead-letter', 'replay', ...args], 2, /must be confirmed/)
    const { code, stdout, stderr } = await replay([...args, '--yes'])
    assert.equal(code, 1)
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(results.map(({ result, outcome, code }) => [result, outcome ?? code]).sort(), [
      ['failed', 'VALUE_NOT_DESERIALIZABLE'],
      ['replayed', 'started'],
      ['replayed', 'started'],
    ])
    assert.match(stderr, /^VALUE_NOT_DESERIALIZABLE: dead letter /)
  })

  await t.test('are left alone once their trigger is deleted, and the cure is told', async () => {
    await deleteTrigger(database, trigger.id)
    const { code, stdout, stderr } = await replay(['--trigger', 'start-orders', '--yes'])
    assert.equal(code, 1)
    assert.match(
      stdout,
      /left alone: trigger "start-orders" is deleted\nReplayed: 0 dead letters\.\nLeft alone, as their trigger is deleted: 1\.\n$/,
    )
    assert.match(stderr, /^NOT_FOUND: trigger "start-orders" is deleted: make one of that name/)
  })
})
