import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Recorder } from '../../src/audit/recorder.js'
import { silentLog } from '../../src/core/log.js'
import { type Database, openDatabase } from '../../src/db/database.js'
import { migrate } from '../../src/db/migrate.js'
import { ensureAuditPartitions } from '../../src/db/partitions.js'
import { recordWith } from './call-record.js'
import { type OwnPostgres, ownPostgres } from './own-postgres.js'

/** A Postgres of the test's own with the whole schema, and a pool on it. */
export async function ownDatabase(t: TestContext): Promise<{ server: OwnPostgres; database: Database }> {
  const server = await ownPostgres()
  let database: Database | undefined
  t.after(async () => {
    await database?.close()
    await server.stop()
  })
  database = await openDatabase({ url: server.url, poolSize: 4, timeoutMs: 5000 }, silentLog)
  await migrate(database, silentLog)
  await ensureAuditPartitions(database)
  return { server, database }
}

/** Writes records before the server is killed, while it is, and after. @returns what became of each */
export async function writeWhileKilled(recorder: Recorder, server: OwnPostgres): Promise<Promise<void>[]> {
  const writes: Promise<void>[] = []
  const writeSome = () => {
    for (let n = 0; n < 50; n += 1) writes.push(recorder.write(recordWith()))
  }
  writeSome()
  await writes[0]
  const writing = setInterval(writeSome, 5)
  await server.kill()
  clearInterval(writing)
  writeSome()
  return writes
}

/** Audit rows, jobs that are remembered, and calls in the counters. */
export async function recordCounts(database: Database) {
  const [row] = await database.query<{ audit: number; ledger: number; calls: number }>(
    `SELECT (SELECT count(*)::int FROM sys_audit_log) AS audit, (SELECT count(*)::int FROM (
           SELECT job_key FROM publish_ledger
           UNION SELECT job_key FROM sys_audit_log WHERE engine IS NOT NULL AND job_key IS NOT NULL
         ) AS known) AS ledger,
       (SELECT coalesce(sum(calls), 0)::int FROM sla_counter) AS calls`,
  )
  return row ?? assert.fail()
}
