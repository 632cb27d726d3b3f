import type { TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.js'
import { type Database, openDatabase } from '../../src/db/database.js'
import { createTestDatabase } from './database.js'

export interface TestDatabase extends Database {
  /** One more pool on the same database, closed with the test: another worker. */
  another(): Promise<Database>
}

const OPTIONS = { poolSize: 4, timeoutMs: 5000 }

/** A database of the test's own with the whole schema, ready for records. */
export function migratedDatabase(t: TestContext): Promise<TestDatabase> {
  return opened(t, false)
}

/** A database of the test's own without any table. */
export function emptyDatabase(t: TestContext): Promise<TestDatabase> {
  return opened(t, true)
}

async function opened(t: TestContext, isEmpty: boolean): Promise<TestDatabase> {
  // Hooks run in the order of their making: pools close before the database is dropped.
  const open: Database[] = []
  t.after(() => Promise.all(open.map((database) => database.close())))
  const { url } = await createTestDatabase(t, { isEmpty })
  const another = async () => {
    const database = await openDatabase({ ...OPTIONS, url }, silentLog)
    open.push(database)
    return database
  }
  return { ...(await another()), another }
}
