import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { AuditRow } from '../../../src/audit/call-record.js'
import { createRecorder } from '../../../src/audit/recorder.js'
import { silentLog } from '../../../src/core/log.js'
import { openDatabase } from '../../../src/db/database.js'
import { type CommandLine, commandLine, ok, refused } from '../../helpers/cli.js'

describe('audit and sla', () => {
  it('list the calls that pass the filter, the newest first, as a JSON object a line', async (t) => {
    const cli = await commandLine(t)
    await recordCalls(t, cli, [{ requestId: 'a' }, { requestId: 'b', status: 'failed' }, { requestId: 'c' }])
    const lines = (
      await ok(cli, ['audit', 'list', '--status', 'published', '--since', '1h', '--json'])
    ).trim()
    assert.deepEqual(
      lines.split('\n').map((line) => JSON.parse(line).requestId),
      ['c', 'a'],
    )
  })

  it('find the calls of one process instance, whose key has all its digits', async (t) => {
    const cli = await commandLine(t)
    const processInstanceKey = '9223372036854775807'
    await recordCalls(t, cli, [{ requestId: 'a' }, { requestId: 'b', processInstanceKey }])
    const found = await ok(cli, ['audit', 'list', '--process-instance', processInstanceKey, '--json'])
    assert.equal(JSON.parse(found).processInstanceKey, processInstanceKey)
  })

  it('find calls by adapter, by request id and before a time', async (t) => {
    const cli = await commandLine(t)
    await recordCalls(t, cli, [{ requestId: 'a' }, { requestId: 'b', adapterName: 'news' }])
    assert.match(await ok(cli, ['audit', 'list', '--adapter', 'news']), /^AT .*\n.* news .* b$/m)
    assert.match(await ok(cli, ['audit', 'list', '--request-id', 'a']), /^AT .*\n.* orders .* a$/m)
    assert.match(await ok(cli, ['audit', 'list', '--until', '1h']), /No calls match/)
  })

  it('show one page after the other, each telling where the next begins', async (t) => {
    const cli = await commandLine(t)
    await recordCalls(t, cli, [{ requestId: 'a' }, { requestId: 'b' }, { requestId: 'c' }])
    const first = await cli.run(['audit', 'list', '--limit', '2', '--json', '--total'])
    assert.equal(idsOf(first.stdout), 'c b')
    assert.match(first.stderr, /^3 calls match/m)
    const [, place = ''] = /--page (\S+) shows them/.exec(first.stderr) ?? []
    const second = await cli.run(['audit', 'list', '--limit', '2', '--json', '--page', place])
    assert.equal(idsOf(second.stdout), 'a')
    assert.doesNotMatch(second.stderr, /--page/)
  })

  it('refuse a place that no page told, and a text without a time from which on to look', async (t) => {
    const cli = await commandLine(t)
    await refused(cli, ['audit', 'list', '--page', 'two'], 1, /INPUT_INVALID/, /"two"/)
    await refused(cli, ['audit', 'list', '--text', 'order'], 1, /INPUT_INVALID/, /--since/)
  })

  it('export all calls that match to a file, and not over one that is there', async (t) => {
    const cli = await commandLine(t)
    const folder = await mkdtemp(path.join(tmpdir(), 'audit-export-'))
    t.after(() => rm(folder, { recursive: true }))
    const file = path.join(folder, 'failed.csv')
    await recordCalls(t, cli, [{ requestId: 'a' }, { requestId: 'b', status: 'failed', errorText: 'so' }])
    const command = ['audit', 'export', '--status', 'failed', '--format', 'csv', '--output', file]
    await ok(cli, command)
    const [header, line, ...rest] = (await readFile(file, 'utf8')).split('\r\n')
    assert.match(header ?? '', /^id,at,requestId,/)
    assert.match(line ?? '', /,b,job,publish,/)
    assert.deepEqual(rest, [''])
    await refused(cli, command, 1, /INPUT_INVALID/, /failed\.csv/)
  })

  it('keep text from outside from commanding the terminal', async (t) => {
    const cli = await commandLine(t)
    await recordCalls(t, cli, [
      { status: 'failed', errorCode: 'BROKER_TIMEOUT', errorText: 'a\u001b[31m\nb' },
    ])
    assert.match(await ok(cli, ['audit', 'list']), /BROKER_TIMEOUT: a \[31m b$/m)
  })

  it('sum up calls, errors, holds and durations', async (t) => {
    const cli = await commandLine(t)
    await recordCalls(t, cli, [{ durationMs: 10 }, { durationMs: 20, status: 'failed' }, { durationMs: 60 }])
    await recordCalls(t, cli, [{ durationMs: 30 }], 'another worker')
    const [row, ...rest] = JSON.parse(await ok(cli, ['sla', 'show', '--json']))
    assert.deepEqual(rest, [])
    const { calls, errors, errorRate, held, averageMs, maxMs, processId } = row
    assert.deepEqual(
      { calls, errors, errorRate, held, averageMs, maxMs, processId },
      {
        calls: 4,
        errors: 1,
        errorRate: 0.25,
        held: 0,
        averageMs: 30,
        maxMs: 60,
        processId: 'order-published',
      },
    )
    assert.ok(row.p50Ms >= 20 && row.p50Ms <= 20 * Math.SQRT2, `p50 is ${row.p50Ms}`)
    assert.equal(row.p99Ms, 60)
  })

  it('show the counters of one process as they went on over time', async (t) => {
    const cli = await commandLine(t)
    await recordCalls(t, cli, [{}, { status: 'failed' }])
    const show = ['sla', 'show', '--since', '2h', '--step', '1h', '--json', '--process']
    const { step, points } = JSON.parse(await ok(cli, [...show, 'order-published']))
    assert.equal(step, '1h')
    const counted = (all: { calls: number; errors: number }[]) =>
      all.flatMap(({ calls, errors }) => (calls > 0 ? [[calls, errors]] : []))
    assert.deepEqual(counted(points), [[2, 1]])
    assert.deepEqual(counted(JSON.parse(await ok(cli, [...show, 'another'])).points), [])
  })

  it('refuse a time that ends before it begins', async (t) => {
    const cli = await commandLine(t)
    await refused(cli, ['sla', 'show', '--since', '1h', '--until', '2h'], 1, /--until is not after --since/)
  })
})

function idsOf(lines: string): string {
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).requestId)
    .join(' ')
}

/** Calls as a worker records them, one after another. */
async function recordCalls(
  t: TestContext,
  { databaseUrl, run }: CommandLine,
  calls: Partial<AuditRow>[],
  worker = 'worker',
): Promise<void> {
  await run(['adapter', 'list'])
  const database = await openDatabase({ url: databaseUrl, poolSize: 2, timeoutMs: 5000 }, silentLog)
  t.after(() => database.close())
  const recorder = createRecorder({ database, engineName: 'engine', worker, log: silentLog })
  const deadline = performance.now() + 10_000
  for (const call of calls) {
    const audit = { ...CALL, requestId: randomUUID(), ...call }
    const { adapterId, operation, durationMs, status } = audit
    const result = status === 'published' ? ('ok' as const) : ('error' as const)
    const sample = { adapterId, operation, processId: 'order-published', result, durationMs }
    await recorder.write({ audit, ledger: null, sample, deadline })
  }
}

const CALL: AuditRow = {
  requestId: '',
  source: 'job',
  operation: 'publish',
  adapterId: randomUUID(),
  adapterName: 'orders',
  adapterKind: 'kafka',
  destination: 'topic',
  receipt: null,
  status: 'published',
  errorCode: null,
  errorText: null,
  durationMs: 1,
  attempt: 1,
  processInstanceKey: '1',
  processId: 'order-published',
  processVersion: 1,
  elementId: 'task',
  jobKey: '2',
  request: null,
  response: null,
}
