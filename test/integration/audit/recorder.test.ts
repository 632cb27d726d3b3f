import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import pg from 'pg'
import { auditPage } from '../../../src/audit/audit-queries.js'
import { createRecorder, type Recorder } from '../../../src/audit/recorder.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import type { Database } from '../../../src/db/database.js'
import { recordWith } from '../../helpers/call-record.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { ownDatabase, recordCounts, writeWhileKilled } from '../../helpers/recording.js'
import { waitFor } from '../../helpers/wait-for.js'

describe('records of one moment', () => {
  it('are written with one statement', async (t) => {
    const { counted, recorder, database } = await recording(t)
    await Promise.all(Array.from({ length: 90 }, () => recorder.write(recordWith())))
    assert.equal(counted.statements, 1)
    assert.deepEqual(await recordCounts(database), { audit: 90, ledger: 90, calls: 90 })
  })

  it('are divided among two statements where they are a great many', async (t) => {
    const { counted, recorder, database } = await recording(t)
    await Promise.all(Array.from({ length: 200 }, () => recorder.write(recordWith())))
    assert.equal(counted.statements, 2)
    assert.deepEqual(await recordCounts(database), { audit: 200, ledger: 200, calls: 200 })
  })

  it('are written when the promise says so, whole', async (t) => {
    const { recorder, database } = await recording(t)
    const record = recordWith({ audit: { durationMs: 2.5, request: '{"n":9223372036854775807}' } })
    await recorder.write(record)
    const [row] = await database.query('SELECT * FROM sys_audit_log')
    const age = Date.now() - (row?.at instanceof Date ? row.at.getTime() : 0)
    assert.ok(Math.abs(age) < 60_000)
    assert.equal(row?.worker, 'worker-1')
    assert.equal(row?.request_id, record.audit?.requestId)
    assert.equal(row?.job_key, record.ledger?.jobKey)
    assert.equal(row?.duration_ms, 2.5)
    assert.equal(row?.request, '{"n":9223372036854775807}')
    assert.equal(row?.status, 'published')
  })

  it('go to the counters alone where the audit switch is off, and nowhere else where that of the SLA is', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith({ audit: null }))
    assert.deepEqual(await recordCounts(database), { audit: 0, ledger: 1, calls: 1 })
    await recorder.write(recordWith({ sample: null }))
    assert.deepEqual(await recordCounts(database), { audit: 1, ledger: 2, calls: 1 })
  })

  it('add up in the counters of their minute', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith({ sample: { durationMs: 10 } }))
    await recorder.write(recordWith({ sample: { durationMs: 30, result: 'error' } }))
    await recorder.write(recordWith({ audit: null, ledger: null, sample: { result: 'held' } }))
    const [sum] = await database.query(
      `SELECT sum(calls)::int AS calls, sum(errors)::int AS errors, sum(held)::int AS held,
         sum(duration_sum_ms) AS sum_ms, max(duration_max_ms) AS max_ms,
         sum((SELECT sum(b) FROM unnest(histogram) b))::int AS in_histogram FROM sla_counter`,
    )
    assert.deepEqual(sum, { calls: 2, errors: 1, held: 1, sum_ms: 40, max_ms: 30, in_histogram: 2 })
  })
})

describe('a value that Postgres refuses', () => {
  it('costs its own record the payload, and the others nothing', async (t) => {
    const { recorder, database } = await recording(t)
    const records = Array.from({ length: 100 }, (_, at) =>
      recordWith(at === 37 ? { audit: { adapterId: 'no uuid', request: 'the payload' } } : {}),
    )
    await Promise.all(records.map((record) => recorder.write(record)))

    assert.deepEqual(await recordCounts(database), { audit: 100, ledger: 100, calls: 99 })
    const bare = await database.query('SELECT request_id, status FROM sys_audit_log WHERE request IS NULL')
    assert.deepEqual(bare, [{ request_id: records[37]?.audit?.requestId, status: 'published' }])
  })

  it('in the counters keeps neither the audit row nor the receipt from being written', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith({ sample: { adapterId: 'no uuid' } }))
    assert.deepEqual(await recordCounts(database), { audit: 1, ledger: 1, calls: 0 })
  })

  it('in the ledger fails its own call alone, as a fault of this program', async (t) => {
    const { recorder, database } = await recording(t)
    const good = [recordWith(), recordWith()]
    const bad = recordWith({ ledger: { jobKey: 'no number' } })
    const [first, refused, last] = await Promise.allSettled([
      recorder.write(good[0] ?? bad),
      recorder.write(bad),
      recorder.write(good[1] ?? bad),
    ])
    assert.deepEqual([first?.status, refused?.status, last?.status], ['fulfilled', 'rejected', 'fulfilled'])
    assert.ok(refused?.status === 'rejected' && refused.reason instanceof RelayError)
    assert.equal(refused.reason.code, 'INTERNAL')
    assert.equal((await recordCounts(database)).audit, 2)
  })

  it('because it is too long for an index is found too', async (t) => {
    const { recorder, database } = await recording(t)
    const long = Array.from({ length: 4000 }, () => Math.random().toString(36).slice(2)).join('')
    const written = await Promise.allSettled([
      recorder.write(recordWith()),
      recorder.write(recordWith({ audit: { requestId: long } })),
      recorder.write(recordWith()),
    ])
    assert.deepEqual([written[0]?.status, written[2]?.status], ['fulfilled', 'fulfilled'])
    assert.ok((await recordCounts(database)).audit >= 2)
  })
})

describe('the result of a publish', () => {
  it('is kept once, and read as receipt and as response', async (t) => {
    const { recorder, database } = await recording(t)
    const result = '{"offset":42}'
    await recorder.write(recordWith({ audit: { receipt: result, response: result } }))
    const [row] = await database.query('SELECT receipt, response FROM sys_audit_log')
    assert.deepEqual(row, { receipt: result, response: null })
    const { entries } = await auditPage(database, {}, { limit: 1 })
    assert.deepEqual([entries[0]?.receipt, entries[0]?.response], [result, result])
  })
})

describe('a NUL character', () => {
  it('in any text that a task can give becomes a replacement character', async (t) => {
    const { recorder, database } = await recording(t)
    const nul = 'a\0b'
    await recorder.write(
      recordWith({
        audit: {
          request: nul,
          response: `${nul} answered`,
          errorText: nul,
          destination: nul,
          adapterName: nul,
          receipt: nul,
        },
        ledger: { receipt: nul },
      }),
    )
    const [row] = await database.query(
      'SELECT request, response, error_text, destination, adapter_name, receipt FROM sys_audit_log',
    )
    assert.deepEqual(new Set(Object.values(row ?? {})), new Set(['a\ufffdb', 'a\ufffdb answered']))
  })
})

describe('workers that write at the same time', () => {
  it('never wait for each other in a circle, though they count the same and note the same jobs', async (t) => {
    const database = await migratedDatabase(t)
    const recorders = await Promise.all(
      [1, 2, 3].map(async () => recorderOn(await database.another(), { worker: 'same' })),
    )
    const keys = Array.from({ length: 60 }, (_, at) => String(1000 + at))
    for (let round = 0; round < 15; round += 1) {
      await Promise.all(
        recorders.flatMap((recorder, at) =>
          (at % 2 ? keys : [...keys].reverse()).map((jobKey) =>
            recorder.write(recordWith({ ledger: { jobKey }, sample: { processId: `p-${jobKey}` } })),
          ),
        ),
      )
    }
    assert.deepEqual(await recordCounts(database), { audit: 15 * 3 * 60, ledger: 60, calls: 15 * 3 * 60 })
    const [{ deadlocks } = { deadlocks: -1 }] = await database.query<{ deadlocks: number }>(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    )
    assert.equal(deadlocks, 0)
  })

  it('write their records in the end when Postgres ends a deadlock at their cost', async (t) => {
    const { recorder, database } = await recording(t)
    const first = recordWith()
    await recorder.write(first)
    const other = new pg.Client({ connectionString: database.url })
    other.on('error', () => undefined)
    await other.connect()
    await other.query('BEGIN')
    await other.query('LOCK TABLE sla_counter IN EXCLUSIVE MODE')
    const second = recordWith()
    const written = recorder.write(second)
    await waitFor('the recorder to wait for the counters', async () => {
      const waiting = await database.query(
        `SELECT FROM pg_locks WHERE NOT granted AND relation = 'sla_counter'::regclass`,
      )
      return waiting.length > 0
    })
    // The recorder holds this table and waits for that one; it waits longer, so it is the one to be ended.
    await other.query('LOCK TABLE sys_audit_log IN EXCLUSIVE MODE')
    await other.query('COMMIT')
    await other.end()
    await written
    assert.deepEqual(await recordCounts(database), { audit: 2, ledger: 2, calls: 2 })
  })
})

describe('a day without partition', () => {
  it('gets one from the first record, in the middle of the work', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith())
    await dropPartitions(database)
    await Promise.all([1, 2, 3].map(() => recorder.write(recordWith())))
    assert.equal((await recordCounts(database)).audit, 3)
  })

  it('gets one though several workers find it missing at the same moment', async (t) => {
    const database = await migratedDatabase(t)
    const recorders = await Promise.all(
      [1, 2, 3, 4].map(async (at) => recorderOn(await database.another(), { worker: `worker-${at}` })),
    )
    await dropPartitions(database)
    await Promise.all(recorders.map((recorder) => recorder.write(recordWith())))
    assert.equal((await recordCounts(database)).audit, 4)
  })
})

describe('the ledger row of a job whose adapter is not audited', () => {
  it('keeps its receipt though a failure of another delivery is recorded later', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith({ audit: null, ledger: { jobKey: '7' } }))
    await recorder.write(
      recordWith({ audit: null, ledger: { jobKey: '7', receipt: null, fingerprint: '', attempts: 2 } }),
    )
    const [row] = await database.query('SELECT receipt, fingerprint, attempts FROM publish_ledger')
    assert.deepEqual(row, { receipt: '{"offset":1}', fingerprint: 'f1', attempts: 2 })
  })

  for (const name of ['processInstanceKey', 'elementInstanceKey'] as const) {
    it(`is overwritten by the job of a re-created engine, which has another ${name}`, async (t) => {
      const { recorder, database } = await recording(t)
      await recorder.write(recordWith({ audit: null, ledger: { jobKey: '7' } }))
      const fresh = { jobKey: '7', receipt: null, fingerprint: 'f2', [name]: '99' }
      await recorder.write(recordWith({ audit: null, ledger: fresh }))
      const [row] = await database.query('SELECT receipt, fingerprint FROM publish_ledger')
      assert.deepEqual(row, { receipt: null, fingerprint: 'f2' })
    })
  }

  it('is none where the audit log has one', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith())
    assert.deepEqual(await database.query('SELECT FROM publish_ledger'), [])
  })

  it('is marked settled once the engine has taken the completion', async (t) => {
    const { recorder, database } = await recording(t)
    await recorder.write(recordWith({ audit: null, ledger: { jobKey: '7' } }))
    await recorder.settled('7')
    assert.deepEqual(await database.query('SELECT job_keys FROM settled_mark'), [{ job_keys: ['7'] }])
  })
})

describe('while Postgres is away', () => {
  it('records wait, and all are written exactly once when it is back', async (t) => {
    const { server, database } = await ownDatabase(t)
    const recorder = recorderOn(database)
    const writes = await writeWhileKilled(recorder, server)
    await server.restart()
    await Promise.all(writes)
    const written = { audit: writes.length, ledger: writes.length, calls: writes.length }
    assert.deepEqual(await recordCounts(database), written)
  })

  it('a record is given up once its deadline has passed', async (t) => {
    const { server, database } = await ownDatabase(t)
    const recorder = recorderOn(database)
    await server.kill()
    const startedAt = performance.now()
    await assert.rejects(recorder.write(recordWith({ deadline: performance.now() + 500 })), {
      code: 'DATABASE_AWAY',
    })
    const tookMs = performance.now() - startedAt
    assert.ok(tookMs >= 500 && tookMs < 5000, `${tookMs} ms`)
  })

  it('settled marks are given up quietly', async (t) => {
    const { recorder, database } = await recording(t)
    await database.query('ALTER TABLE publish_ledger RENAME TO gone')
    await recorder.settled('7')
  })
})

describe('a statement whose answer is lost', () => {
  it('is not carried out twice', async (t) => {
    const { recorder, database, counted } = await recording(t)
    counted.loseAnswers = 1
    await Promise.all([1, 2, 3].map(() => recorder.write(recordWith())))
    assert.deepEqual(await recordCounts(database), { audit: 3, ledger: 3, calls: 3 })
  })

  it('of a failed try is not carried out twice though an earlier receipt is kept', async (t) => {
    const { recorder, database, counted } = await recording(t)
    await recorder.write(recordWith({ ledger: { jobKey: '7' } }))
    counted.loseAnswers = 1
    await recorder.write(recordWith({ ledger: { jobKey: '7', receipt: null, attempts: 2 } }))
    assert.deepEqual(await recordCounts(database), { audit: 2, ledger: 1, calls: 2 })
  })

  it('of a statement that was not carried out is written though another worker noted the same attempt', async (t) => {
    const { recorder, database, counted } = await recording(t)
    const other = recorderOn(database)
    await other.write(recordWith({ ledger: { jobKey: '7', receipt: null } }))
    counted.failStatements = 1
    await recorder.write(recordWith({ ledger: { jobKey: '7' } }))
    const rows = await database.query('SELECT receipt FROM sys_audit_log ORDER BY id')
    assert.deepEqual(rows, [{ receipt: null }, { receipt: '{"offset":1}' }])
  })
})

/** A recorder on a database of its own; `counted` stands on the way of its record statements. */
async function recording(t: TestContext) {
  const database = await migratedDatabase(t)
  const counted = { statements: 0, loseAnswers: 0, failStatements: 0 }
  const away = () => new RelayError('DATABASE_AWAY', 'no answer')
  const between: Database = {
    ...database,
    async query<Row extends pg.QueryResultRow>(text: string, values?: unknown[], name?: string) {
      if (name !== 'record') return await database.query<Row>(text, values, name)
      counted.statements += 1
      if (counted.failStatements-- > 0) throw away()
      const rows = await database.query<Row>(text, values, name)
      if (counted.loseAnswers-- > 0) throw away()
      return rows
    },
  }
  return { database, counted, recorder: recorderOn(between) }
}

function recorderOn(database: Database, { worker = 'worker-1' } = {}): Recorder {
  return createRecorder({ database, engineName: 'engine-a', worker, log: silentLog })
}

async function dropPartitions(database: Database): Promise<void> {
  const rows = await database.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'sys_audit_log'::regclass`,
  )
  for (const { name } of rows) await database.query(`DROP TABLE ${name}`)
}
