import type { TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.js'
import { type Database, openDatabase } from '../../src/db/database.js'
import { migrate } from '../../src/db/migrate.js'
import { ensureAuditPartitions } from '../../src/db/partitions.js'
import { createTestDatabase } from './database.js'

export interface TestDatabase extends Database {
  /** One more pool on the same database, closed with the test: another worker. */
  another(): Promise<Database>
}

const OPTIONS = { poolSize: 4, timeoutMs: 5000 }

/** A database of the test's own with the whole schema, ready for records. */
export async function migratedDatabase(t: TestContext): Promise<TestDatabase> {
  const database = await emptyDatabase(t)
  await migrate(database, silentLog)
  await ensureAuditPartitions(database)
  return database
}

/** A database of the test's own without any table. */
export async function emptyDatabase(t: TestContext): Promise<TestDatabase> {
  // Hooks run in the order of their making: pools close before the database is dropped.
  const open: Database[] = []
  t.after(() => Promise.all(open.map((database) => database.close())))
  const { url } = await createTestDatabase(t)
  const another = async () => {
    const database = await openDatabase({ ...OPTIONS, url }, silentLog)
    open.push(database)
    return database
  }
  return { ...(await another()), another }
}
