import type { DataSource } from 'typeorm'
import { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { type Database, openOrm } from './database.js'

/** One number for all programs that migrate this schema; taken for the length of the run. */
const MIGRATION_LOCK = 4_771_902_001

/** Runs what is missing, one transaction each, and returns the names. Safe to call from many workers at once. */
export async function migrate(database: Database, log: Log): Promise<string[]> {
  return await underLock(database, async (orm) => {
    const done = await orm.runMigrations({ transaction: 'each' })
    for (const { name } of done) log.info('migrated', { migration: name })
    return done.map(({ name }) => name)
  })
}

/** Takes back the newest `count` migrations and returns how many there were. Their data is lost. */
export async function migrateDown(database: Database, count: number): Promise<number> {
  return await underLock(database, async (orm) => {
    const [table] = await database.query<{ there: boolean }>(
      `SELECT to_regclass('schema_migration') IS NOT NULL AS there`,
    )
    const executed = table?.there ? await database.query('SELECT name FROM schema_migration') : []
    const steps = Math.min(count, executed.length)
    for (let step = 0; step < steps; step += 1) await orm.undoLastMigration({ transaction: 'each' })
    return steps
  })
}

/** @throws RelayError DATABASE_NOT_MIGRATED when `migrate` has something left to do. */
export async function assertMigrated(database: Database): Promise<void> {
  if (await database.orm.dataSource.showMigrations()) {
    throw new RelayError(
      'DATABASE_NOT_MIGRATED',
      'the database schema is older than this program: run `bpmn-relay migrate` first',
    )
  }
}

/** Migrations, and the wait for another worker's, may take longer than any other statement. */
async function underLock<T>(database: Database, work: (orm: DataSource) => Promise<T>): Promise<T> {
  const orm = await openOrm(database.url, 0)
  try {
    const session = orm.createQueryRunner()
    try {
      // Held by the session, and gone with it.
      await session.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
      return await work(orm)
    } finally {
      await session.release()
    }
  } finally {
    await orm.destroy()
  }
}
