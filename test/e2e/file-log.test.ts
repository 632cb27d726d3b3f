import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import * as kafka from '../helpers/kafka.js'
import { createRelay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'

test('A call is in the file log if its adapter says so, whether it is audited or not', async (t) => {
  const relay = await createRelay(t)
  const topic = await kafka.createTopic(testServers().kafka.bootstrapServers)
  const folder = mkdtempSync(path.join(tmpdir(), 'file-log-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const worker = await relay.startWorker({
    BPMN_RELAY_FILE_LOG_FOLDER: folder,
    BPMN_RELAY_WORKER_NAME: 'eu-1',
  })
  const switches = [
    { logResults: true, auditRequests: true },
    { logResults: true, auditRequests: false },
    { logResults: false, auditRequests: true },
  ]
  const receipts = []
  for (const given of switches) {
    const { id: adapterId } = await relay.adapter({ kind: 'kafka', ...given })
    const task = { inputs: { adapterId, topic, message: 'm' }, headers: { resultVariable: 'receipt' } }
    receipts.push((await relay.processes.run(await relay.deploy('kafka', task))).receipt)
  }
  await worker.terminate()

  assert.deepEqual(readdirSync(folder), ['results-eu-1.log'])
  const lines = readFileSync(path.join(folder, 'results-eu-1.log'), 'utf8').trim().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).response),
    receipts.slice(0, 2),
  )
})
