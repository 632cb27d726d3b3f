import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type pg from 'pg'
import type { CallRecord } from '../../../src/audit/call-record.js'
import { createRecorder } from '../../../src/audit/recorder.js'
import { openSpool, type SpoolOptions } from '../../../src/audit/spool/spool.js'
import { SpoolFiles } from '../../../src/audit/spool/spool-files.js'
import { spooledText } from '../../../src/audit/spool/spooled-record.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { defaultWorkerName } from '../../../src/core/worker-name.js'
import type { Database } from '../../../src/db/database.js'
import { createLedger } from '../../../src/publish/ledger.js'
import { spooledLedger } from '../../../src/publish/spooled-ledger.js'
import { recordWith } from '../../helpers/call-record.js'
import { jobWith } from '../../helpers/job.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { ownDatabase, recordCounts, writeWhileKilled } from '../../helpers/recording.js'
import { waitFor } from '../../helpers/wait-for.js'

const HOUR_MS = 3_600_000

describe('records that come while Postgres is away', () => {
  it('are kept at once, and written in their order when it is back', async (t) => {
    const { start, gate, database } = await spooling(t)
    const { recorder, spool } = await start()
    await recorder.write(recordWith())
    gate.isAway = true
    const spooled = Array.from({ length: 40 }, () => recordWith())
    for (const record of spooled) await recorder.write(record)
    assert.deepEqual(
      { ...spool.state(), bytes: 0, oldestAgeMs: 0 },
      { records: 40, bytes: 0, oldestAgeMs: 0 },
    )
    gate.isAway = false
    const later = recordWith()
    await Promise.all([recorder.write(later), untilEmpty(spool)])
    const rows = await database.query<{ request_id: string }>(
      'SELECT request_id FROM sys_audit_log ORDER BY id',
    )
    assert.deepEqual(
      rows.slice(1).map(({ request_id }) => request_id),
      [...spooled, later].map(({ audit }) => audit?.requestId),
    )
    assert.deepEqual(await recordCounts(database), { audit: 42, ledger: 42, calls: 42 })
  })

  it('find the spool empty in the end though new ones never cease', async (t) => {
    const { start, gate, database } = await spooling(t)
    const { recorder, spool } = await start()
    gate.isAway = true
    await Promise.all(Array.from({ length: 500 }, () => recorder.write(recordWith())))
    gate.isAway = false
    let written = 500
    let isOver = false
    const writers = Array.from({ length: 20 }, async () => {
      while (!isOver) {
        await recorder.write(recordWith())
        written += 1
      }
    })
    await untilEmpty(spool).finally(() => {
      isOver = true
    })
    await Promise.all(writers)
    await untilEmpty(spool)
    assert.deepEqual(await recordCounts(database), { audit: written, ledger: written, calls: written })
  })

  it('are written once though the answers of statements are lost, of the first and of a replay', async (t) => {
    const { start, gate, database } = await spooling(t)
    const { recorder, spool } = await start()
    gate.loseAnswers = ['record', 'replay']
    await Promise.all(Array.from({ length: 30 }, () => recorder.write(recordWith())))
    await untilEmpty(spool)
    assert.deepEqual(gate.loseAnswers, [])
    assert.deepEqual(await recordCounts(database), { audit: 30, ledger: 30, calls: 30 })
  })

  it('are written once by the next process of the worker, wherever the first was cut off', async (t) => {
    const { start, gate, database } = await spooling(t)
    const first = await start()
    gate.isAway = true
    await Promise.all(Array.from({ length: 30 }, () => first.recorder.write(recordWith())))
    // Carried out, but this process never learns of it.
    gate.isAway = false
    gate.loseAnswers = ['replay']
    gate.awayAfterLoss = true
    await waitFor('the replay', async () => gate.loseAnswers.length === 0)
    await first.spool.close()
    gate.isAway = false
    const second = await start()
    await untilEmpty(second.spool)
    assert.deepEqual(await recordCounts(database), { audit: 30, ledger: 30, calls: 30 })
  })

  it('count in the minute and on the day they came, which may have no partition any more', async (t) => {
    const { start, gate, database, folder } = await spooling(t)
    const then = Date.now() - 50 * HOUR_MS
    await spoolAt(path.join(folder, 'worker-1'), recordWith(), then)
    gate.refuse = 'replay'
    const { recorder, spool } = await start()
    await recorder.write(recordWith())
    gate.refuse = ''
    await untilEmpty(spool)
    const rows = await database.query<{ at: Date }>('SELECT at FROM sys_audit_log ORDER BY id')
    assert.equal(rows[0]?.at.getTime(), then)
    const minutes = await database.query<{ minute: Date; calls: number }>(
      'SELECT minute, calls::int FROM sla_counter ORDER BY minute',
    )
    assert.deepEqual(minutes[0], { minute: new Date(Math.floor(then / 60_000) * 60_000), calls: 1 })
    assert.equal(minutes.length, 2)
  })

  it('cost their own record alone when Postgres refuses a value', async (t) => {
    const { start, gate, database, folder } = await spooling(t)
    const { recorder, spool } = await start()
    gate.isAway = true
    const records = Array.from({ length: 20 }, (_, n) =>
      recordWith(n === 7 ? { audit: { adapterId: 'no uuid', request: 'the payload' } } : {}),
    )
    const lost = recordWith({ ledger: { jobKey: 'no number' } })
    for (const record of [...records, lost]) await recorder.write(record)
    gate.isAway = false
    await untilEmpty(spool)
    assert.deepEqual(await recordCounts(database), { audit: 20, ledger: 20, calls: 19 })
    const bare = await database.query('SELECT request_id FROM sys_audit_log WHERE request IS NULL')
    assert.deepEqual(bare, [{ request_id: records[7]?.audit?.requestId }])
    const aside = (await readdir(path.join(folder, 'worker-1'))).filter((name) => name.startsWith('aside-'))
    assert.equal(aside.length, 1)
  })

  it('settle their ledger rows when the mark came while it was away, too', async (t) => {
    const { start, gate, database } = await spooling(t)
    const { recorder, spool } = await start()
    gate.isAway = true
    await recorder.write(recordWith({ ledger: { jobKey: '7' } }))
    await recorder.settled('7')
    gate.isAway = false
    await untilEmpty(spool)
    const rows = await database.query('SELECT job_keys FROM settled_mark')
    assert.deepEqual(rows, [{ job_keys: ['7'] }])
  })

  it('survive a server that is really killed', async (t) => {
    const { server, database: own } = await ownDatabase(t)
    const { start } = await spooling(t, own)
    const { recorder, spool } = await start()
    const writes = await writeWhileKilled(recorder, server)
    // Without Postgres.
    await Promise.all(writes)
    await server.restart()
    await untilEmpty(spool)
    assert.deepEqual(await recordCounts(own), {
      audit: writes.length,
      ledger: writes.length,
      calls: writes.length,
    })
  })
})

describe('a job', () => {
  it('whose record is in the spool is known, also to the next process', async (t) => {
    const { start, gate } = await spooling(t)
    const first = await start()
    gate.isAway = true
    const job = jobWith()
    const record = recordWith({ ledger: ledgerOf(job) })
    await first.recorder.write(record)
    const known = { attempts: 1, result: '{"offset":1}', fingerprint: 'f1' }
    assert.deepEqual(await first.ledger.find(job), known)
    await first.spool.close()
    gate.isAway = false
    gate.refuse = 'replay'
    const second = await start()
    assert.deepEqual(await second.ledger.find(job), known)
  })

  it('counts as new while Postgres cannot be asked, and is known once it can', async (t) => {
    const { start, gate } = await spooling(t)
    const { recorder, ledger, spool } = await start()
    const job = jobWith()
    await recorder.write(recordWith({ ledger: ledgerOf(job) }))
    gate.isAway = true
    assert.equal((await ledger.find(job)).attempts, 0)
    gate.isAway = false
    await waitFor('Postgres to be back', () => !spool.isAway)
    assert.equal((await ledger.find(job)).attempts, 1)
  })

  it('is held when the spool is full, and what was sent before is still recorded', async (t) => {
    const { start, gate, database } = await spooling(t)
    const { recorder, ledger, spool } = await start({ maxBytes: 1000 })
    gate.isAway = true
    await recorder.write(recordWith())
    await recorder.write(recordWith())
    await assert.rejects(ledger.find(jobWith()), { code: 'SPOOL_FULL', outcome: 'held' })
    await recorder.write(recordWith())
    gate.isAway = false
    await untilEmpty(spool)
    assert.equal((await recordCounts(database)).audit, 3)
    assert.equal((await ledger.find(jobWith())).attempts, 0)
  })
})

describe('the folder of a spool', () => {
  it('belongs to one worker', async (t) => {
    const { start } = await spooling(t)
    const { spool } = await start()
    await assert.rejects(start(), {
      code: 'CONFIG_INVALID',
      message:
        /BPMN_RELAY_SPOOL_DIR is ".*", where another running worker uses .*worker-1: .* BPMN_RELAY_WORKER_NAME of its own/,
    })
    const other = await start({ worker: 'worker-2' })
    await Promise.all([spool, other.spool].map((one) => one.close()))
  })

  it('that cannot be used ends the start with the cure', async (t) => {
    const { start, folder } = await spooling(t)
    const file = path.join(folder, 'a-file')
    await writeFile(file, '')
    await assert.rejects(start({ folder: file }), {
      code: 'CONFIG_INVALID',
      message:
        /BPMN_RELAY_SPOOL_DIR is ".*a-file", where .* cannot be used \(.*\): name a folder on a durable volume/,
    })
  })

  it('needs a worker whose name stays', async (t) => {
    const { start } = await spooling(t)
    await assert.rejects(start({ worker: defaultWorkerName() }), {
      code: 'CONFIG_INVALID',
      message: /BPMN_RELAY_SPOOL_DIR needs a BPMN_RELAY_WORKER_NAME/,
    })
  })
})

/** Workers with a spool on a database that can be away. */
async function spooling(t: TestContext, given?: Database) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'spool-'))
  await chmod(folder, 0o755)
  const closers: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const close of closers) await close()
    await rm(folder, { recursive: true })
  })
  const database = given ?? (await migratedDatabase(t))
  const gate = { isAway: false, loseAnswers: [] as string[], awayAfterLoss: false, refuse: '' }
  const away = () => new RelayError('DATABASE_AWAY', 'no answer')
  const between: Database = {
    ...database,
    async query<Row extends pg.QueryResultRow>(text: string, values?: unknown[], name?: string) {
      if (gate.isAway || (name !== undefined && name === gate.refuse)) throw away()
      const rows = await database.query<Row>(text, values, name)
      if (name !== undefined && name === gate.loseAnswers[0]) {
        gate.loseAnswers.shift()
        gate.isAway = gate.awayAfterLoss
        throw away()
      }
      return rows
    },
  }
  async function start(changes: Partial<SpoolOptions> = {}) {
    const names = { engineName: 'engine-a', worker: 'worker-1' }
    const options = { folder, ...names, maxBytes: 10_000_000, database: between, log: silentLog, ...changes }
    const spool = await openSpool(options)
    closers.push(() => spool.close())
    return {
      spool,
      recorder: createRecorder({ ...options, overflow: spool }),
      ledger: spooledLedger(createLedger({ ...options, retentionDays: 30 }), spool, 'engine-a', silentLog),
    }
  }
  return { database, folder, gate, start }
}

/** What a worker that ended at that time has left in its folder. */
async function spoolAt(folder: string, record: CallRecord, at: number): Promise<void> {
  await mkdir(folder)
  const files = await SpoolFiles.open(folder, silentLog)
  const facts = { at, engine: 'engine-a', isUnanswered: false }
  await files.append([Buffer.from(spooledText({ kind: 'call', record }, facts))])
  await files.close()
}

function ledgerOf(job: ReturnType<typeof jobWith>): Partial<NonNullable<CallRecord['ledger']>> {
  const { key: jobKey, processInstanceKey, elementInstanceKey } = job
  return { jobKey, processInstanceKey, elementInstanceKey }
}

async function untilEmpty(spool: { state(): { bytes: number } }): Promise<void> {
  await waitFor('the spool to be empty', () => spool.state().bytes === 0)
}
