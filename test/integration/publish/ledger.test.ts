import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createRecorder } from '../../../src/audit/recorder.js'
import type { OutboundMessage } from '../../../src/brokers/broker.js'
import { silentLog } from '../../../src/core/log.js'
import type { Database } from '../../../src/db/database.js'
import { sweepLedger } from '../../../src/db/upkeep.js'
import { createLedger, fingerprintOf } from '../../../src/publish/ledger.js'
import { recordWith } from '../../helpers/call-record.js'
import { jobWith } from '../../helpers/job.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'

const NEW_JOB = { attempts: 0, result: null, fingerprint: '' }

describe('the ledger', () => {
  it('knows the receipt of a job that was published before', async (t) => {
    const { ledger, job } = await published(t)
    assert.deepEqual(await ledger.find(job), { attempts: 1, result: '{"offset":1}', fingerprint: 'f1' })
  })

  it('does not know a job that was never recorded', async (t) => {
    const { ledger } = await published(t)
    assert.deepEqual(await ledger.find(jobWith({ key: '424242' })), NEW_JOB)
  })

  for (const name of ['processInstanceKey', 'elementInstanceKey'] as const) {
    it(`takes a job with the same key but another ${name} for a new one`, async (t) => {
      const { ledger, job } = await published(t)
      assert.deepEqual(await ledger.find({ ...job, [name]: '99' }), NEW_JOB)
    })
  }

  it('keeps engines apart', async (t) => {
    const { database, job } = await published(t)
    assert.deepEqual(await createLedger(database, 'engine-b', silentLog).find(job), NEW_JOB)
  })

  it('looks up the jobs of one moment with one statement', async (t) => {
    const { database, job } = await published(t)
    let statements = 0
    const counting: Pick<Database, 'query'> = {
      query(...args) {
        statements += 1
        return database.query(...args)
      },
    }
    const ledger = createLedger(counting, 'engine-a', silentLog)
    const found = await Promise.all(
      [job, jobWith({ key: '1' }), jobWith({ key: '2' })].map((each) => ledger.find(each)),
    )
    assert.equal(statements, 1)
    assert.deepEqual(
      found.map(({ attempts }) => attempts),
      [1, 0, 0],
    )
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
      const { database } = await published(t, { age, settledAge })
      assert.equal(await sweepLedger(database, OPTIONS), kept ? 0 : 1)
    })
  }

  it('are kept twice the job timeout where that is longer', async (t) => {
    const { database } = await published(t, { age: '11 minutes', settledAge: '11 minutes' })
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
    const { database } = await published(t, { age: '15 minutes', settledAge: '20 minutes' })
    assert.equal(await sweepLedger(database, OPTIONS), 0)
  })

  it('are kept though a job of the same key is settled in another engine', async (t) => {
    const { database } = await published(t, { age: '20 minutes', settledAge: '15 minutes' })
    await database.query("UPDATE settled_mark SET engine = 'engine-b'")
    assert.equal(await sweepLedger(database, OPTIONS), 0)
  })
})

/** A ledger with one published job, as old as told. */
async function published(
  t: TestContext,
  { age = '0 seconds', settledAge = null }: { age?: string; settledAge?: string | null } = {},
) {
  const database = await migratedDatabase(t)
  const recorder = createRecorder({ database, engineName: 'engine-a', worker: 'w', log: silentLog })
  const job = jobWith()
  await recorder.write(
    recordWith({
      ledger: {
        jobKey: job.key,
        processInstanceKey: job.processInstanceKey,
        elementInstanceKey: job.elementInstanceKey,
      },
    }),
  )
  await database.query('UPDATE publish_ledger SET at = now() - $1::interval', [age])
  if (settledAge) {
    await recorder.settled(job.key)
    await database.query('UPDATE settled_mark SET at = now() - $1::interval', [settledAge])
  }
  return { database, job, ledger: createLedger(database, 'engine-a', silentLog) }
}
