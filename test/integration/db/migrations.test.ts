import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MIGRATIONS } from '../../../migrations/index.js'
import { silentLog } from '../../../src/core/log.js'
import { assertMigrated, migrate, migrateDown } from '../../../src/db/migrate.js'
import { emptyDatabase } from '../../helpers/migrated-database.js'
import { dumpSchema } from '../../helpers/schema-dump.js'

const snapshotFile = fileURLToPath(new URL('../../schema.sql', import.meta.url))

describe('migrations', () => {
  it('make the schema that test/schema.sql shows (UPDATE_SNAPSHOT=1 writes it anew)', async (t) => {
    const database = await emptyDatabase(t)
    await migrate(database, silentLog)
    const schema = await dumpSchema(database)
    if (process.env.UPDATE_SNAPSHOT === '1') await writeFile(snapshotFile, schema)
    assert.equal(schema, await readFile(snapshotFile, 'utf8'))
  })

  it('can all be taken back, leaving nothing, and made again', async (t) => {
    const database = await emptyDatabase(t)
    const nothing = await dumpSchema(database)
    await migrate(database, silentLog)
    const schema = await dumpSchema(database)

    assert.equal(await migrateDown(database, 100), MIGRATIONS.length)
    assert.equal(await dumpSchema(database), nothing)
    assert.equal((await migrate(database, silentLog)).length, MIGRATIONS.length)
    assert.equal(await dumpSchema(database), schema)
  })

  it('can be taken back one by one', async (t) => {
    const database = await emptyDatabase(t)
    await migrate(database, silentLog)
    for (const { name } of MIGRATIONS) {
      const before = await dumpSchema(database)
      assert.equal(await migrateDown(database, 1), 1)
      assert.notEqual(await dumpSchema(database), before, `${name}: one step down changed nothing`)
    }
    assert.equal(await migrateDown(database, 1), 0)
  })

  it('of which there are none are taken back without an error', async (t) => {
    assert.equal(await migrateDown(await emptyDatabase(t), 1), 0)
  })

  it('run once though several workers start at the same moment', async (t) => {
    const database = await emptyDatabase(t)
    const workers = [database, await database.another(), await database.another()]
    const made = await Promise.all(workers.map((worker) => migrate(worker, silentLog)))
    assert.deepEqual(made.map(({ length }) => length).sort(), [0, 0, MIGRATIONS.length])
  })

  it('that are missing are told', async (t) => {
    const database = await emptyDatabase(t)
    await assert.rejects(assertMigrated(database), { code: 'DATABASE_NOT_MIGRATED' })
    await migrate(database, silentLog)
    await assertMigrated(database)
  })

  it('come in the order of their names', () => {
    const numbers = MIGRATIONS.map(({ name }) => Number(/\d+$/.exec(name)?.[0]))
    assert.deepEqual(numbers, [...numbers].sort())
  })
})
