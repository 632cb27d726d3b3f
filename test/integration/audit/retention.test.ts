import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import { type RetentionOptions, retireAuditDays } from '../../../src/audit/retention.js'
import { silentLog } from '../../../src/core/log.js'
import { auditDays, ensureAuditPartitions } from '../../../src/db/partitions.js'
import { insertAuditRows } from '../../helpers/audit-rows.js'
import { migratedDatabase, type TestDatabase } from '../../helpers/migrated-database.js'

const DAY_MS = 86_400_000
const KEPT = { auditRetentionDays: 2, auditArchiveFolder: undefined, log: silentLog }

describe('a day of the audit log past its retention', () => {
  it('goes, and the days within it stay', async (t) => {
    const database = await logSince(t, 4)
    await insertAuditRows(database, [{ at: ago(4) }, { at: ago(2) }, {}])
    assert.deepEqual(await retireAuditDays({ ...KEPT, database }), [partition(4), partition(3)])
    const [rows] = await database.query('SELECT count(*)::int AS count FROM sys_audit_log')
    assert.equal(rows?.count, 2)
    assert.equal((await auditDays(database))[0]?.name, partition(2))
    assert.deepEqual(await tables(database, 3), [])
  })

  it('is archived first, each row as a line, where a folder is given', async (t) => {
    const { database, options, folder } = await archiving(t)
    await insertAuditRows(
      database,
      Array.from({ length: 2005 }, (_, n) => ({ at: ago(3), job_key: n, request: '{"n":1.0}' })),
    )
    await retireAuditDays(options)
    const text = gunzipSync(await readFile(path.join(folder, `${partition(3)}.ndjson.gz`))).toString()
    const entries = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      entries.map(({ jobKey }) => Number(jobKey)),
      Array.from({ length: 2005 }, (_, n) => n),
    )
    assert.equal(entries[0].request, '{"n":1.0}')
  })

  it('is archived beside an earlier archive of the same day', async (t) => {
    const { database, options, folder } = await archiving(t)
    await retireAuditDays(options)
    await ensureAuditPartitions(database, ago(3))
    await insertAuditRows(database, [{ at: ago(3) }])
    await retireAuditDays(options)
    const names = (await readdir(folder)).filter((name) => name.startsWith(partition(3)))
    assert.deepEqual(names.sort(), [`${partition(3)}-2.ndjson.gz`, `${partition(3)}.ndjson.gz`])
  })

  it('stays as long as it cannot be archived', async (t) => {
    const { database, options, folder } = await archiving(t)
    await insertAuditRows(database, [{ at: ago(3) }])
    const nowhere = { ...options, auditArchiveFolder: '/dev/null/archive' }
    await assert.rejects(retireAuditDays(nowhere), { code: 'ENOTDIR' })
    assert.deepEqual(await tables(database, 3), [partition(3)])
    assert.deepEqual(await retireAuditDays(options), [partition(3)])
    assert.deepEqual(await readdir(folder), [`${partition(3)}.ndjson.gz`])
  })

  it('waits for an open transaction, keeps no writer waiting, and goes once that has ended', async (t) => {
    const database = await logSince(t, 3)
    const reader = new pg.Client({ connectionString: database.url })
    // Its database is dropped with the test, before it says goodbye.
    reader.on('error', () => undefined)
    await reader.connect()
    t.after(() => reader.end())
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await reader.query('SELECT count(*) FROM sys_audit_log')

    const retiring = retireAuditDays({ ...KEPT, database })
    await insertAuditRows(database, [{}, {}])
    assert.deepEqual(await retiring, [])
    assert.deepEqual(await tables(database, 3), [partition(3)])

    await reader.query('COMMIT')
    assert.deepEqual(await retireAuditDays({ ...KEPT, database }), [partition(3)])
  })

  it('that a crash left detached goes too', async (t) => {
    const database = await logSince(t, 3)
    await database.query(`ALTER TABLE sys_audit_log DETACH PARTITION ${partition(3)}`)
    assert.deepEqual(await retireAuditDays({ ...KEPT, database }), [partition(3)])
  })

  it('is let go by one of many workers', async (t) => {
    const database = await logSince(t, 3)
    const gone = await Promise.all([1, 2, 3].map(() => retireAuditDays({ ...KEPT, database })))
    assert.deepEqual(gone.flat(), [partition(3)])
  })
})

/** An audit log with a partition for each day from so many days ago on. */
async function logSince(t: TestContext, days: number): Promise<TestDatabase> {
  const database = await migratedDatabase(t)
  await ensureAuditPartitions(database, ago(days))
  return database
}

async function archiving(
  t: TestContext,
): Promise<{ database: TestDatabase; options: RetentionOptions; folder: string }> {
  const database = await logSince(t, 3)
  const folder = await mkdtemp(path.join(tmpdir(), 'audit-archive-'))
  t.after(() => rm(folder, { recursive: true }))
  return { database, folder, options: { ...KEPT, database, auditArchiveFolder: folder } }
}

async function tables(database: TestDatabase, days: number): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    'SELECT relname AS name FROM pg_class WHERE relname = $1',
    [partition(days)],
  )
  return rows.map(({ name }) => name)
}

function ago(days: number): Date {
  return new Date(Date.now() - days * DAY_MS)
}

function partition(days: number): string {
  return `sys_audit_log_${ago(days).toISOString().slice(0, 10).replaceAll('-', '')}`
}
