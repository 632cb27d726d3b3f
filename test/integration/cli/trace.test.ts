import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import type { AuditRow } from '../../../src/audit/call-record.js'
import { createFileLog } from '../../../src/audit/file-log.js'
import { createRecorder } from '../../../src/audit/recorder.js'
import { silentLog } from '../../../src/core/log.js'
import { openDatabase } from '../../../src/db/database.js'
import { migrate } from '../../../src/db/migrate.js'
import { ensureAuditPartitions } from '../../../src/db/partitions.js'
import { recordWith } from '../../helpers/call-record.js'
import { commandLine } from '../../helpers/cli.js'
import { giveUp } from '../../helpers/dead-letters.js'

const RECEIPT = '{"requestId":"r","topic":"order-events","partition":0,"offset":7}'

/** A deployment with calls in its audit log and in the file log of one worker. */
async function deployment(t: TestContext) {
  const cli = await commandLine(t)
  const folder = mkdtempSync(path.join(tmpdir(), 'trace-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const database = await openDatabase({ url: cli.databaseUrl, poolSize: 2, timeoutMs: 5000 }, silentLog)
  t.after(() => database.close())
  await migrate(database, silentLog)
  await ensureAuditPartitions(database)
  const recorder = createRecorder({ database, engineName: 'engine', worker: 'w1', log: silentLog })
  return {
    database,
    folder,
    audited: (changes: Partial<AuditRow>) => recorder.write(recordWith({ audit: changes })),
    async logged(...calls: Partial<AuditRow>[]) {
      const log = createFileLog({ folder, worker: 'w1', maxBytes: 2000, maxFiles: 5, log: silentLog })
      for (const changes of calls) {
        const { audit } = recordWith({ audit: changes })
        if (audit) log.write(audit)
      }
      await log.close()
    },
    trace: (...args: string[]) =>
      cli.run(['trace', ...args], { env: { BPMN_RELAY_FILE_LOG_FOLDER: folder } }),
  }
}

test('trace', async (t) => {
  const { audited, database, folder, logged, trace } = await deployment(t)

  await t.test(
    'shows the receipt, the process instance, the audit rows and the lines of the file log',
    async () => {
      const call = {
        requestId: 'retried',
        jobKey: '9223372036854775807',
        receipt: RECEIPT,
        response: RECEIPT,
      }
      await audited({ ...call, receipt: null, status: 'failed', errorCode: 'BROKER_TIMEOUT', attempt: 1 })
      await audited({ ...call, attempt: 2 })
      await audited({ requestId: 'unrelated' })
      await logged({ requestId: 'unrelated' }, call)
      const { stdout } = await trace('retried')
      assert.match(stdout, /^MESSAGE\ntopic order-events, partition 0, offset 7$/m)
      assert.match(stdout, /^2251799813685200 +order +1 +publish-order +9223372036854775807$/m)
      assert.match(stdout, /^AT .*\n.* failed .* retried .*BROKER_TIMEOUT.*\n.* published .* retried$/m)
      assert.match(stdout, /^FILE .*\n\S+results-w1\.log\S* +\{.*"requestId":"retried".*\}$/m)
      assert.doesNotMatch(stdout, /unrelated/)
    },
  )

  await t.test('prints one JSON object whose numbers keep their digits', async () => {
    const request = '{"message":{"id":9223372036854775807}}'
    await audited({ requestId: 'exact', receipt: RECEIPT })
    await logged({ requestId: 'exact', request, response: RECEIPT })
    const { stdout } = await trace('exact', '--json')
    const { receipts, processInstances, audit, fileLog } = JSON.parse(stdout)
    assert.deepEqual(
      [receipts.length, receipts[0].offset, processInstances[0].processInstanceKey],
      [1, 7, '2251799813685200'],
    )
    assert.deepEqual([audit[0].requestId, fileLog[0].line.requestId], ['exact', 'exact'])
    assert.match(stdout, /"id":9223372036854775807/)
  })

  await t.test('finds a call that is in the file log only, in whichever file', async () => {
    const others = Array.from({ length: 8 }, (_, n) => ({ requestId: `other-${n}` }))
    await logged({ requestId: 'logged-only', response: RECEIPT }, ...others)
    const { stdout } = await trace('logged-only')
    assert.match(stdout, /offset 7/)
    assert.match(stdout, /results-w1\.log\.\d+ /)
  })

  await t.test(
    'is not led astray by a payload that holds the request id, or by a line that is being written',
    async () => {
      await audited({ requestId: 'audited-only' })
      await logged({ requestId: 'other', request: '{"message":{"requestId":"audited-only"}}' })
      appendFileSync(
        path.join(folder, 'results-w1.log'),
        '{"at":"2026-01-01T00:00:00Z","requestId":"audited-only","sta',
      )
      const { stdout } = await trace('audited-only', '--json')
      assert.deepEqual(JSON.parse(stdout).fileLog, [])
    },
  )

  await t.test('shows the dead letter of a message, and what was done with it', async () => {
    const id = await giveUp(database, { offset: '1' }, { requestId: 'given-up' })
    await audited({ requestId: 'given-up', operation: 'dead-letter.replay', source: 'admin', status: 'done' })
    const { stdout } = await trace('given-up')
    assert.match(stdout, new RegExp(`waiting +start-orders .*${id} +EXPRESSION_INVALID`))
    assert.match(stdout, / done +dead-letter\.replay /)
    assert.equal(JSON.parse((await trace('given-up', '--json')).stdout).deadLetters[0].id, id)
  })

  await t.test('says where it looked for a request id that nobody knows', async () => {
    const { code, stderr } = await trace('unknown')
    assert.equal(code, 1)
    assert.ok(stderr.startsWith('NOT_FOUND: ') && stderr.includes(folder), stderr)
  })
})
