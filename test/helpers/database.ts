import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import pg from 'pg'
import { testServers } from './servers.js'

/**
 * An empty database of the test's own on the shared Postgres. Dropped when the test has passed; kept otherwise, and
 * its address printed, so that what went wrong can be looked at.
 */
export async function createTestDatabase(t: TestContext): Promise<{ url: string }> {
  const server = testServers().postgres.url
  const name = `test_${randomBytes(6).toString('hex')}`
  await runOn(server, `CREATE DATABASE ${name}`)
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href
  t.after(async () => {
    if (hasPassed(t)) await runOn(server, `DROP DATABASE ${name} WITH (FORCE)`)
    else t.diagnostic(`its database is kept: ${url}`)
  })
  return { url }
}

/** Node.js 20.12 and newer know it; the type declarations of Node.js 20 do not. */
function hasPassed(t: TestContext): boolean {
  return 'passed' in t && t.passed === true
}

async function runOn(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
