import pg from 'pg'
import { DataSource, type EntityManager, QueryFailedError } from 'typeorm'
import { MIGRATIONS } from '../../migrations/index.js'
import { messageOf, RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin } from '../core/time-limit.js'
import { AdapterEntity, EnvironmentVariableEntity, NotifierEntity } from './entities.js'
import type { Session } from './session.js'

export interface DatabaseOptions {
  url: string
  poolSize: number
  /** Time limit of one statement, milliseconds, on both sides of the wire. */
  timeoutMs: number
}

export interface Database {
  readonly url: string
  /** Entities; not for the hot path. */
  readonly orm: EntityManager
  /**
   * Runs one statement. With a `name` it is prepared once per connection.
   * @throws RelayError DATABASE_AWAY when Postgres cannot be reached, does not answer in time or cannot do anything
   * just now; the driver's own
   * error, with its SQLSTATE in `code`, when Postgres refuses the statement.
   */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[], name?: string): Promise<Row[]>
  /**
   * Runs statements as one transaction on one connection: all of them or, when `use` throws, none.
   * @throws as `query` does, and what `use` throws
   */
  transaction<T>(use: (session: Session) => Promise<T>): Promise<T>
  /** Milliseconds since Postgres last answered `query`. */
  silentForMs(): number
  close(): Promise<void>
}

/** The SQLSTATE of an error that Postgres itself gave, also to TypeORM; else undefined. */
export function sqlState(error: unknown): string | undefined {
  const source = sourceOf(error)
  return source instanceof pg.DatabaseError ? source.code : undefined
}

/** Whether a statement failed because a unique value exists already. */
export function violatesUnique(error: unknown): boolean {
  return sqlState(error) === '23505'
}

/** As `violatesUnique`, because it refers to a row that is not there, or removes one that others refer to. */
export function violatesReference(error: unknown): boolean {
  return sqlState(error) === '23503'
}

/** Of an error that TypeORM wrapped, the driver's own. */
function sourceOf(error: unknown): unknown {
  return error instanceof QueryFailedError ? error.driverError : error
}

const CONNECT_TIMEOUT_MS = 3000
const CLOSE_LIMIT_MS = 2000
/** A connection keeps what it has prepared, and statements that name days of the audit log are new ones each day. */
const MAX_LIFETIME_SECONDS = 24 * 60 * 60

/** Opens a pool; the first statement connects. */
export async function openDatabase(options: DatabaseOptions, log: Log): Promise<Database> {
  const { url, poolSize, timeoutMs } = options
  const pool = new pg.Pool({
    ...connectionOptions(timeoutMs),
    connectionString: url,
    max: poolSize,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
  })
  pool.on('error', (error) => {
    // Connections that are being closed may still be told that the server goes down.
    if (!pool.ending) log.warn('an idle Postgres connection was lost', { reason: error.message })
  })

  let orm: DataSource
  try {
    orm = await openOrm(url, timeoutMs)
  } catch (error) {
    await pool.end()
    throw error
  }

  let answeredAt = Number.NEGATIVE_INFINITY
  let closing: Promise<void> | undefined
  return {
    url,
    orm: orm.manager,
    async query(text, values = [], name) {
      try {
        const result = await pool.query(name === undefined ? { text, values } : { name, text, values })
        answeredAt = performance.now()
        return result.rows
      } catch (cause) {
        if (!isAway(cause)) {
          answeredAt = performance.now()
          throw cause
        }
        throw away(cause)
      }
    },
    async transaction(use) {
      const client = await pool.connect().catch((cause: unknown) => {
        throw away(cause)
      })
      // A connection that is lost makes its next statement fail, which tells enough.
      const ignore = () => undefined
      client.on('error', ignore)
      const query: Session['query'] = async (text, values = []) => {
        try {
          return (await client.query(text, values)).rows
        } catch (cause) {
          throw isAway(cause) ? away(cause) : cause
        }
      }
      let isDone = false
      try {
        await query('BEGIN')
        const result = await use({ query })
        await query('COMMIT')
        isDone = true
        return result
      } finally {
        if (isDone) client.off('error', ignore)
        // Hanging up rolls back, whatever state the connection is in.
        client.release(!isDone)
      }
    },
    silentForMs: () => performance.now() - answeredAt,
    close() {
      // A server that is gone without a word does not answer a goodbye either.
      closing ??= endsWithin(Promise.all([pool.end(), orm.destroy()]), CLOSE_LIMIT_MS).then(() => undefined)
      return closing
    },
  }
}

/**
 * Does all that `use` does with the database it is given, entities included, as one transaction: all of it or, when
 * `use` throws, nothing. A statement that Postgres refuses makes all later ones fail.
 * @throws as `Database.query` does, and what `use` throws
 */
export async function atomically<T>(database: Database, use: (within: Database) => Promise<T>): Promise<T> {
  return await database.orm.transaction(async (orm) => {
    const session: Session = {
      async query(text, values = []) {
        if (!orm.queryRunner) throw new TypeError('a transaction has a connection')
        try {
          return (await orm.queryRunner.query(text, values, true)).records
        } catch (error) {
          const cause = sourceOf(error)
          throw isAway(cause) ? away(cause) : cause
        }
      },
    }
    return await use({ ...database, ...session, orm, transaction: (inner) => inner(session) })
  })
}

/**
 * TypeORM on a small pool of its own.
 * @param timeoutMs of one statement; 0: none, for migrations.
 * @throws RelayError DATABASE_UNREACHABLE
 */
export async function openOrm(url: string, timeoutMs: number): Promise<DataSource> {
  const orm = new DataSource({
    type: 'postgres',
    url,
    entities: [AdapterEntity, EnvironmentVariableEntity, NotifierEntity],
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migration',
    poolSize: 2,
    extra: connectionOptions(timeoutMs),
    logging: false,
  })
  try {
    return await orm.initialize()
  } catch (cause) {
    throw new RelayError(
      'DATABASE_UNREACHABLE',
      `Postgres at ${publicUrl(url)} cannot be used: ${messageOf(cause)}`,
      { cause },
    )
  }
}

function connectionOptions(timeoutMs: number) {
  return {
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs === 0 ? 0 : timeoutMs + 500,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'bpmn-relay',
  }
}

/** The address of a database without its password, for messages. */
export function publicUrl(url: string): string {
  if (!URL.canParse(url)) return '(unreadable address)'
  const { protocol, hostname, port, pathname } = new URL(url)
  return `${protocol}//${hostname}${port ? `:${port}` : ''}${pathname}`
}

// 08: connection exceptions. 40: rolled back for the sake of others, such as in a deadlock. 53: out of connections,
// memory or disk. 55P03: a lock was not to be had. 57P01–57P05: shutting down, crashed, starting up, database dropped,
// idle session closed. 57014: our own statement_timeout, a Postgres too slow to be of use. 58: trouble with its disk.
// 25006: a standby after a failover. None of them is the fault of what was asked.
const AWAY_STATES = /^(08...|40...|53...|55P03|57P0[1-5]|57014|58...|25006)$/

function away(cause: unknown): RelayError {
  return new RelayError('DATABASE_AWAY', `Postgres cannot be used now: ${messageOf(cause)}`, { cause })
}

function isAway(error: unknown): boolean {
  const state = sqlState(error)
  // Everything that is not Postgres's own answer comes from the socket or from the pool's time limits.
  return state === undefined
    ? error instanceof Error && !(error instanceof TypeError)
    : AWAY_STATES.test(state)
}
