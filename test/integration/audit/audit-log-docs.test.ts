import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { OPERATIONS } from '../../../src/audit/operations.js'
import { withSession } from '../../../src/db/session.js'
import { insertAuditRows } from '../../helpers/audit-rows.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'

const page = readFileSync(new URL('../../../docs/audit-log.md', import.meta.url), 'utf8')

describe('docs/audit-log.md', () => {
  it('lists the operations of the program, and no other', () => {
    const documented = rowsOf('## What is recorded').map((cells) => cells.slice(0, 5).map(bare))
    assert.deepEqual(
      documented,
      OPERATIONS.map((each) => [each.operation, each.source, each.audited, each.counted, each.fileLogged]),
    )
  })

  it('explains every column, and no other', async (t) => {
    const database = await migratedDatabase(t)
    const columns = await database.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute
       WHERE attrelid = 'sys_audit_log'::regclass AND attnum > 0 ORDER BY attnum`,
    )
    const documented = rowsOf('## Columns').flatMap(([names = '']) => names.split(', ').map(bare))
    assert.deepEqual(documented.sort(), columns.map(({ name }) => name).sort())
  })

  it('has recipes that run in the role that only reads, which can read nothing else and change nothing', async (t) => {
    const database = await migratedDatabase(t)
    await insertAuditRows(database, [{ receipt: '{"partition":1,"offset":2}' }])
    const blocks = [...page.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = '']) => sql)
    const role = blocks.pop() ?? assert.fail()
    assert.equal(blocks.length, 5)
    await withSession(database.url, 1000, async (session) => {
      // Roles are the server's: this one goes with the transaction.
      await session.query('BEGIN')
      await session.query(role)
      await session.query('SET ROLE bpmn_relay_auditor')
      for (const recipe of blocks) await session.query(recipe)
      for (const forbidden of ['SELECT FROM adapter', 'DELETE FROM sys_audit_log']) {
        await session.query('SAVEPOINT before')
        await assert.rejects(session.query(forbidden), { code: '42501' })
        await session.query('ROLLBACK TO SAVEPOINT before')
      }
      await session.query('ROLLBACK')
    })
  })
})

/** Cells of the rows of the first table below a heading. */
function rowsOf(heading: string): string[][] {
  const [, below = ''] = page.split(`${heading}\n`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(below) ?? []
  const [, , ...rows] = table.trim().split('\n')
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

function bare(cell: string): string {
  return cell.replaceAll('`', '')
}
