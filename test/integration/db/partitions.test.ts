import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import pg from 'pg'
import type { Database } from '../../../src/db/database.js'
import { ensureAuditPartitions } from '../../../src/db/partitions.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'

const DAY_MS = 86_400_000

describe("the audit log's day partitions", () => {
  it('are made for today and a week ahead, with UTC bounds', async (t) => {
    const database = await migratedDatabase(t)
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
    const days = (await partitions(database)).map(({ from, to }) => {
      assert.equal(to.getTime() - from.getTime(), DAY_MS)
      return from.getTime()
    })
    assert.deepEqual(
      days,
      Array.from({ length: 8 }, (_, day) => today + day * DAY_MS),
    )
  })

  it('have the indexes of the audit log', async (t) => {
    const database = await migratedDatabase(t)
    const [{ parent, child } = assert.fail()] = await database.query<{ parent: number; child: number }>(
      `SELECT (SELECT count(*)::int FROM pg_index WHERE indrelid = 'sys_audit_log'::regclass) AS parent,
              (SELECT count(*)::int FROM pg_index WHERE indrelid = (
                SELECT min(inhrelid::oid) FROM pg_inherits WHERE inhparent = 'sys_audit_log'::regclass)) AS child`,
    )
    assert.equal(child, parent)
    assert.ok(parent <= 6)
  })

  it('are made once, and a second time nothing changes', async (t) => {
    const database = await migratedDatabase(t)
    const before = await partitions(database)
    await ensureAuditPartitions(database)
    assert.deepEqual(await partitions(database), before)
  })

  it('are all there for each of several workers that make them at the same moment', async (t) => {
    const database = await migratedDatabase(t)
    const workers = [database, await database.another(), await database.another(), await database.another()]
    for (let round = 0; round < 5; round += 1) {
      await dropPartitions(database)
      await Promise.all(
        workers.map(async (worker) => {
          await ensureAuditPartitions(worker)
          assert.equal((await partitions(worker)).length, 8, 'it returned before they were there')
        }),
      )
    }
  })

  it('are attached where a crash has left one made but not attached', async (t) => {
    const database = await migratedDatabase(t)
    const name = `sys_audit_log_${new Date().toISOString().slice(0, 10).replaceAll('-', '')}`
    await database.query(`ALTER TABLE sys_audit_log DETACH PARTITION ${name}`)
    await ensureAuditPartitions(database)
    assert.equal((await partitions(database)).length, 8)
  })

  it('do not wait for an open transaction that writes, nor make other writers wait', async (t) => {
    const database = await migratedDatabase(t)
    const [last] = (await partitions(database)).slice(-1)
    await database.query(`DROP TABLE ${last?.name}`)
    const writer = await openWriter(t, database)

    await ensureAuditPartitions(database)

    assert.equal((await partitions(database)).length, 8)
    await insertRow(database)
    await writer.query('COMMIT')
  })
})

async function partitions(database: Database): Promise<{ name: string; from: Date; to: Date }[]> {
  const rows = await database.query<{ name: string; bound: string }>(
    `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
     FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
     WHERE inhparent = 'sys_audit_log'::regclass ORDER BY 1`,
  )
  return rows.map(({ name, bound }) => {
    const [, from = '', to = ''] = /FROM \('(.*)'\) TO \('(.*)'\)/.exec(bound) ?? []
    return { name, from: new Date(from), to: new Date(to) }
  })
}

async function dropPartitions(database: Database): Promise<void> {
  for (const { name } of await partitions(database)) await database.query(`DROP TABLE ${name}`)
}

const INSERT = `INSERT INTO sys_audit_log (request_id, source, operation, status, duration_ms)
  VALUES ('r', 'job', 'publish', 'published', 1)`

async function insertRow(database: Database): Promise<void> {
  await database.query(INSERT)
}

async function openWriter(t: TestContext, database: Database): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => undefined)
  await client.connect()
  t.after(() => client.end())
  await client.query('BEGIN')
  await client.query(INSERT)
  return client
}
