import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import pg from 'pg'
import { silentLog } from '../../src/core/log.js'
import { openDatabase } from '../../src/db/database.js'
import { migrate } from '../../src/db/migrate.js'
import { ensureAuditPartitions } from '../../src/db/partitions.js'
import { testServers } from './servers.js'

/**
 * A database of the test's own on the shared Postgres, with the whole schema or empty. Dropped when the test has passed;
 * kept otherwise, and its address printed, so that what went wrong can be looked at.
 */
export async function createTestDatabase(
  t: TestContext,
  { isEmpty = false }: { isEmpty?: boolean } = {},
): Promise<{ url: string }> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const template = isEmpty ? undefined : await migratedTemplate()
  await onServer((run) => run(`CREATE DATABASE ${name}${template ? ` TEMPLATE ${template}` : ''}`))
  const url = urlOf(name)
  t.after(async () => {
    if (hasPassed(t)) await onServer((run) => run(`DROP DATABASE ${name} WITH (FORCE)`))
    else t.diagnostic(`its database is kept: ${url}`)
  })
  return { url }
}

/** Held while the template is made: test files run side by side. */
const TEMPLATE_LOCK = 4_771_902_999

let template: Promise<string> | undefined

/** A database with the whole schema that others are copied from: to migrate each took a second. */
function migratedTemplate(): Promise<string> {
  template ??= makeTemplate()
  return template
}

async function makeTemplate(): Promise<string> {
  const name = `template_${await hashOfMigrations()}`
  await onServer(async (run) => {
    await run(`SELECT pg_advisory_lock(${TEMPLATE_LOCK})`)
    const known = await run(`SELECT FROM pg_database WHERE datname = '${name}'`)
    if (known.rowCount) return
    // Under another name at first: one that was made by half must not be copied.
    const unfinished = `${name}_${randomBytes(3).toString('hex')}`
    await run(`CREATE DATABASE ${unfinished}`)
    const database = await openDatabase({ url: urlOf(unfinished), poolSize: 1, timeoutMs: 5000 }, silentLog)
    try {
      await migrate(database, silentLog)
      await ensureAuditPartitions(database)
    } finally {
      await database.close()
    }
    await run(`ALTER DATABASE ${unfinished} RENAME TO ${name}`)
  })
  return name
}

async function hashOfMigrations(): Promise<string> {
  const folder = new URL('../../migrations/', import.meta.url)
  const hash = createHash('sha1')
  for (const file of (await readdir(folder)).sort()) hash.update(await readFile(new URL(file, folder)))
  return hash.digest('hex').slice(0, 12)
}

function urlOf(name: string): string {
  return Object.assign(new URL(testServers().postgres.url), { pathname: `/${name}` }).href
}

/** Node.js 20.12 and newer know it; the type declarations of Node.js 20 do not. */
function hasPassed(t: TestContext): boolean {
  return 'passed' in t && t.passed === true
}

async function onServer(
  work: (run: (statement: string) => Promise<pg.QueryResult>) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({ connectionString: testServers().postgres.url })
  await client.connect()
  try {
    await work((statement) => client.query(statement))
  } finally {
    await client.end()
  }
}
