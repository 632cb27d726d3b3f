import path from 'node:path'
import type { Config } from '../core/config.js'
import type { Log } from '../core/log.js'
import { holdPostgres } from '../stack/postgres.js'
import { type Database, openDatabase } from './database.js'

/**
 * The configured database or, without DATABASE_URL, the embedded Postgres of the data folder, which is shared with
 * other bpmn-relay processes of this machine and stops with the last of them.
 * @throws RelayError DATABASE_UNREACHABLE, STACK_SERVER_FAILED
 */
export async function openConfiguredDatabase(config: Config, log: Log): Promise<Database> {
  const options = { poolSize: config.databasePoolSize, timeoutMs: config.databaseTimeoutMs }
  if (config.databaseUrl !== undefined)
    return await openDatabase({ ...options, url: config.databaseUrl }, log)

  const folder = path.resolve(config.dataFolder, 'postgres')
  log.info('DATABASE_URL is not set: using the embedded Postgres', { folder })
  const held = await holdPostgres(folder)
  try {
    const database = await openDatabase({ ...options, url: held.url }, log)
    return {
      ...database,
      async close() {
        await database.close()
        await held.release()
      },
    }
  } catch (error) {
    await held.release()
    throw error
  }
}
