import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { atomically } from '../../../src/db/database.js'
import { EnvironmentVariableEntity } from '../../../src/db/entities.js'
import { emptyDatabase, migratedDatabase } from '../../helpers/migrated-database.js'

describe('a transaction', () => {
  it('is kept as a whole', async (t) => {
    const database = await emptyDatabase(t)
    const made = await database.transaction(async ({ query }) => {
      await query('CREATE TABLE kept (n int)')
      return await query('INSERT INTO kept VALUES ($1), (2) RETURNING n', [1])
    })
    assert.deepEqual(made, [{ n: 1 }, { n: 2 }])
    assert.equal((await database.query('SELECT FROM kept')).length, 2)
  })

  it('leaves nothing behind when its work fails, and its error is told', async (t) => {
    const database = await emptyDatabase(t)
    await assert.rejects(
      database.transaction(async ({ query }) => {
        await query('CREATE TABLE lost (n int)')
        throw new Error('changed my mind')
      }),
      /changed my mind/,
    )
    await assert.rejects(database.query('SELECT FROM lost'), { code: '42P01' })
  })

  it('says that Postgres is away when its connection is lost in the middle', async (t) => {
    const database = await emptyDatabase(t)
    await assert.rejects(
      database.transaction(async ({ query }) => {
        const [{ pid } = { pid: 0 }] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
        await database.query('SELECT pg_terminate_backend($1)', [pid])
        await query('SELECT 1')
      }),
      { code: 'DATABASE_AWAY' },
    )
    assert.equal((await database.query('SELECT 1')).length, 1)
  })
})

describe('what is done atomically', () => {
  const row = { name: 'A', value: 'a', secret: false, description: '', managed: false }

  it('is kept as a whole, entities and statements alike', async (t) => {
    const database = await migratedDatabase(t)
    const changed = await atomically(database, async (within) => {
      await within.orm.getRepository(EnvironmentVariableEntity).insert(row)
      return await within.query(`UPDATE environment_variable SET value = $1 RETURNING name, value`, ['b'])
    })
    assert.deepEqual(changed, [{ name: 'A', value: 'b' }])
    assert.equal((await database.query('SELECT FROM environment_variable')).length, 1)
  })

  it('leaves nothing behind when it fails', async (t) => {
    const database = await migratedDatabase(t)
    const failing = atomically(database, async (within) => {
      await within.orm.getRepository(EnvironmentVariableEntity).insert(row)
      await within.query('SELECT FROM nowhere')
    })
    await assert.rejects(failing, { code: '42P01' })
    assert.equal((await database.query('SELECT FROM environment_variable')).length, 0)
  })
})
