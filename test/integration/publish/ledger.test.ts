import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { LedgerRecord } from '../../../src/audit/call-record.js'
import { createRecorder } from '../../../src/audit/recorder.js'
import type { OutboundMessage } from '../../../src/brokers/broker.js'
import { silentLog } from '../../../src/core/log.js'
import type { Database } from '../../../src/db/database.js'
import { auditDays, ensureAuditDaysOf } from '../../../src/db/partitions.js'
import { sweepLedger } from '../../../src/db/upkeep.js'
import type { Job } from '../../../src/engine/engine.js'
import { createLedger, fingerprintOf } from '../../../src/publish/ledger.js'
import { recordWith } from '../../helpers/call-record.js'
import { jobWith } from '../../helpers/job.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { rowsRead } from '../../helpers/rows-read.js'

const DAY_MS = 24 * 3_600_000
const NEW_JOB = { attempts: 0, result: null, fingerprint: '' }

/** Who remembers the publish, and what else than the key tells the jobs of two engines apart there. */
const HOMES = [
  ['the ledger, without audit,', { isAudited: false }, ['processInstanceKey', 'elementInstanceKey']],
  ['the audit log', { isAudited: true }, ['processInstanceKey', 'elementId']],
] as const

for (const [home, options, identity] of HOMES) {
  describe(`what ${home} knows`, () => {
    it('is the receipt of a job that was published before', async (t) => {
      const { ledger, job } = await published(t, options)
      assert.deepEqual(await ledger.find(job), { attempts: 1, result: '{"offset":1}', fingerprint: 'f1' })
    })

    it('is nothing of a job that was never recorded', async (t) => {
      const { ledger } = await published(t, options)
      assert.deepEqual(await ledger.find(jobWith({ key: '424242' })), NEW_JOB)
    })

    it('is the receipt, though a failure of another delivery is recorded later', async (t) => {
      const { ledger, job, record } = await published(t, options)
      await record({ attempts: 2, receipt: null, fingerprint: '' })
      assert.deepEqual(await ledger.find(job), { attempts: 2, result: '{"offset":1}', fingerprint: 'f1' })
    })

    it('is the newer of two receipts', async (t) => {
      const { ledger, job, record } = await published(t, options)
      await record({ attempts: 2, receipt: '{"offset":2}', fingerprint: 'f2' })
      assert.deepEqual(await ledger.find(job), { attempts: 2, result: '{"offset":2}', fingerprint: 'f2' })
    })

    it('is no receipt where nobody acknowledged the message', async (t) => {
      const { ledger, job } = await published(t, { ...options, ledger: { receipt: null } })
      const { attempts, result } = await ledger.find(job)
      assert.deepEqual({ attempts, result }, { attempts: 1, result: null })
    })

    for (const name of identity) {
      it(`is nothing of a job with the same key but another ${name}`, async (t) => {
        const { ledger, job } = await published(t, options)
        assert.deepEqual(await ledger.find({ ...job, [name]: '99' }), NEW_JOB)
      })
    }

    it('is nothing of a job of another engine', async (t) => {
      const { ledgerOn, database, job } = await published(t, options)
      assert.deepEqual(await ledgerOn(database, { engineName: 'engine-b' }).find(job), NEW_JOB)
    })
  })
}

describe('a look-up', () => {
  it('is one statement for all jobs of a moment', async (t) => {
    const { ledgerOn, database, job } = await published(t)
    const counted = counting(database)
    const ledger = ledgerOn(counted)
    await ledger.find(job)
    counted.statements = 0
    const jobs = [job, newerThan(job, 1n), newerThan(job, 2n)]
    const found = await Promise.all(jobs.map((each) => ledger.find(each)))
    assert.deepEqual([counted.statements, ...found.map(({ attempts }) => attempts)], [1, 1, 0, 0])
  })

  it('finds a publish of weeks ago in the audit log', async (t) => {
    const { ledger, job, makeOlder } = await published(t)
    await makeOlder(20)
    assert.equal((await ledger.find(job)).result, '{"offset":1}')
  })

  it('finds one of weeks ago in every partition of the engine', async (t) => {
    const ofThird = { jobKey: String(3n * 2n ** 51n + 7n) }
    const { ledger, job, makeOlder } = await published(t, { ledger: ofThird })
    await makeOlder(20)
    assert.equal((await ledger.find(job)).result, '{"offset":1}')
  })

  it('forgets one from before the retention', async (t) => {
    const { ledger, job, makeOlder } = await published(t)
    await makeOlder(33)
    assert.deepEqual(await ledger.find(job), NEW_JOB)
  })

  it('asks no older days for jobs that are newer than all of these', async (t) => {
    const { ledgerOn, database, job, makeOlder } = await published(t)
    await makeOlder(20)
    const counted = counting(database)
    const ledger = ledgerOn(counted)
    await ledger.find(newerThan(job, 1n))
    counted.statements = 0
    await ledger.find(newerThan(job, 2n))
    assert.equal(counted.statements, 1)
  })

  it('reads no day through, also where Postgres has counted its rows and does not know them yet', async (t) => {
    const { database, job, ledgerOn } = await published(t)
    await database.query(
      `INSERT INTO sys_audit_log (request_id, source, operation, status, duration_ms, job_key, engine, request)
       SELECT n, 'job', 'publish', 'published', 1, n, 'engine-a', repeat('x', 400) FROM generate_series(1, 20000) n`,
    )
    for (const { name } of await auditDays(database)) await database.query(`VACUUM ${name}`)
    const read: number[] = []
    const expected: number[] = []
    const watched: Pick<Database, 'query'> = {
      async query(text, values, name) {
        if (name?.startsWith('ledger-find')) {
          read.push(await rowsRead(database, text, values))
          // Of a longer day it would rather read all of it than what it expects of the index.
          const plan = await database.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, values)
          expected.push(...plan.map((line) => Number(/ rows=(\d+)/.exec(line['QUERY PLAN'])?.[1] ?? 0)))
        }
        return await database.query(text, values, name)
      },
    }
    const ledger = ledgerOn(watched)
    await Promise.all(Array.from({ length: 64 }, (_, n) => ledger.find(newerThan(job, BigInt(n)))))
    assert.ok(read.length > 0 && Math.max(...read) < 1000, `${read} rows`)
    assert.ok(expected.length > 0 && Math.max(...expected) < 1000, `${expected} rows expected`)
  })

  it('goes on when a day has left the audit log meanwhile', async (t) => {
    const { ledger, database, job } = await published(t)
    await ledger.find(job)
    for (const { name } of await auditDays(database)) await database.query(`DROP TABLE ${name}`)
    assert.deepEqual(await ledger.find(job), NEW_JOB)
  })

  it('finds jobs around midnight, when the days that count change', async (t) => {
    const { database, job, ledgerOn } = await published(t)
    const midnight = new Date().setUTCHours(0, 0, 0, 0)
    await ensureAuditDaysOf(
      database,
      [-2, -1].map((days) => midnight + days * DAY_MS),
    )
    for (const offset of [0.4, 1.6, 23.4, 24.6]) {
      t.mock.timers.enable({ apis: ['Date'], now: midnight + offset * (DAY_MS / 24) })
      const ledger = ledgerOn(database)
      assert.deepEqual([offset, (await ledger.find(job)).attempts], [offset, 1])
      t.mock.timers.reset()
    }
  })

  it('knows the first record of an audit log that had no day before', async (t) => {
    const { ledger, database, job, record } = await published(t)
    for (const { name } of await auditDays(database)) await database.query(`DROP TABLE ${name}`)
    await ledger.find(job)
    await record()
    assert.equal((await ledger.find(job)).result, '{"offset":1}')
  })
})

describe('the fingerprint of a message', () => {
  const message: OutboundMessage = {
    topic: 't',
    requestId: 'r',
    value: Buffer.from('v'),
    key: Buffer.from('k'),
    keys: ['a', 'b'],
    headers: {},
  }
  const changes: [what: string, adapterId: string, changed: Partial<OutboundMessage>][] = [
    ['adapter', 'other', {}],
    ['topic', 'adapter', { topic: 'u' }],
    ['key', 'adapter', { key: Buffer.from('l') }],
    ['payload', 'adapter', { value: Buffer.from('w') }],
    ['payload, now null', 'adapter', { value: null }],
    ['payload, now empty', 'adapter', { value: Buffer.alloc(0) }],
    ['keys', 'adapter', { keys: ['a'] }],
    [
      'key and payload, together the same bytes',
      'adapter',
      { key: Buffer.from('kv'), value: Buffer.alloc(0) },
    ],
  ]
  for (const [what, adapterId, changed] of changes) {
    it(`differs with the ${what}`, () => {
      assert.notEqual(fingerprintOf(adapterId, { ...message, ...changed }), fingerprintOf('adapter', message))
    })
  }

  it('does not differ with what a redelivery may change', () => {
    const again = { ...message, requestId: 'other', headers: { traceparent: 'x' }, timestamp: 5 }
    assert.equal(fingerprintOf('adapter', again), fingerprintOf('adapter', message))
  })
})

describe('old rows of the ledger', () => {
  const OPTIONS = { jobTimeoutMs: 60_000, ledgerRetentionDays: 30 }

  const rows: [what: string, age: string, settledAge: string | null, kept: boolean][] = [
    ['settled a moment ago', '1 minute', '1 second', true],
    ['settled 9 minutes ago', '9 minutes', '9 minutes', true],
    ['settled 11 minutes ago', '11 minutes', '11 minutes', false],
    ['settled a moment ago, though written long before', '20 days', '1 minute', true],
    ['unsettled for 29 days', '29 days', null, true],
    ['unsettled for 31 days', '31 days', null, false],
  ]
  for (const [what, age, settledAge, kept] of rows) {
    it(`are ${kept ? 'kept' : 'removed'} when ${what}`, async (t) => {
      const { database } = await published(t, { isAudited: false, age, settledAge })
      assert.equal(await sweepLedger(database, OPTIONS), kept ? 0 : 1)
    })
  }

  it('are kept twice the job timeout where that is longer', async (t) => {
    const { database } = await published(t, { isAudited: false, age: '11 minutes', settledAge: '11 minutes' })
    assert.equal(await sweepLedger(database, { ...OPTIONS, jobTimeoutMs: 600_000 }), 0)
  })

  it('are all removed, however many there are', async (t) => {
    const database = await migratedDatabase(t)
    await database.query(
      `INSERT INTO publish_ledger (engine, job_key, process_instance_key, element_instance_key, fingerprint, at)
       SELECT 'engine-a', n, 1, 1, 'f', now() - interval '1 hour' FROM generate_series(1, 12000) n`,
    )
    await database.query(
      `INSERT INTO settled_mark (engine, job_keys, at)
       SELECT engine, array_agg(job_key), now() - interval '1 hour' FROM publish_ledger GROUP BY engine, job_key / 100`,
    )
    assert.equal(await sweepLedger(database, OPTIONS), 12_000)
  })

  it('are kept when the job was recorded again after it was settled', async (t) => {
    const { database } = await published(t, { isAudited: false, age: '15 minutes', settledAge: '20 minutes' })
    assert.equal(await sweepLedger(database, OPTIONS), 0)
  })

  it('are kept though a job of the same key is settled in another engine', async (t) => {
    const { database } = await published(t, { isAudited: false, age: '20 minutes', settledAge: '15 minutes' })
    await database.query("UPDATE settled_mark SET engine = 'engine-b'")
    assert.equal(await sweepLedger(database, OPTIONS), 0)
  })
})

interface Published {
  isAudited?: boolean
  /** What is recorded of the publish. */
  ledger?: Partial<LedgerRecord>
  /** Of the row and of its mark. */
  age?: string
  settledAge?: string | null
}

/** A job that was published once. */
async function published(
  t: TestContext,
  { isAudited = true, ledger = {}, age = '0 seconds', settledAge = null }: Published = {},
) {
  const database = await migratedDatabase(t)
  const recorder = createRecorder({ database, engineName: 'engine-a', worker: 'w', log: silentLog })
  const job = jobWith(ledger.jobKey ? { key: ledger.jobKey } : {})
  const { key: jobKey, processInstanceKey, elementInstanceKey, elementId } = job
  const record = async (changes: Partial<LedgerRecord> = {}) => {
    const row = { jobKey, processInstanceKey, elementInstanceKey, ...changes }
    const { attempts: attempt = 1, receipt = '{"offset":1}' } = row
    const audit = { processInstanceKey, elementId, attempt, receipt }
    await recorder.write(recordWith({ ledger: row, audit: isAudited ? audit : null }))
  }
  await record(ledger)
  await database.query('UPDATE publish_ledger SET at = now() - $1::interval', [age])
  if (settledAge) {
    await recorder.settled(jobKey)
    await database.query('UPDATE settled_mark SET at = now() - $1::interval', [settledAge])
  }
  const ledgerOn = (on: Pick<Database, 'query'>, changes: { engineName?: string } = {}) =>
    createLedger({ database: on, engineName: 'engine-a', retentionDays: 30, log: silentLog, ...changes })
  const makeOlder = async (days: number) => {
    const at = Date.now() - days * DAY_MS
    await ensureAuditDaysOf(database, [at])
    await database.query('UPDATE sys_audit_log SET at = $1', [new Date(at)])
  }
  return { database, job, record, makeOlder, ledgerOn, ledger: ledgerOn(database) }
}

function newerThan({ key }: Job, by: bigint): Job {
  return jobWith({ key: String(BigInt(key) + by) })
}

/** Counts what the database is asked. */
function counting(database: Database) {
  const counted: Pick<Database, 'query'> & { statements: number } = {
    statements: 0,
    query(...args) {
      counted.statements += 1
      return database.query(...args)
    },
  }
  return counted
}
