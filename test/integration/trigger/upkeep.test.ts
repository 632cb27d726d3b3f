import assert from 'node:assert/strict'
import { it } from 'node:test'
import { sweepTriggers } from '../../../src/db/upkeep.js'
import { giveUp } from '../../helpers/dead-letters.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'

const RETENTION = { triggerLedgerRetentionDays: 7, deadLetterRetentionDays: 30 }

it('handled messages are forgotten after the retention, and not before', async (t) => {
  const database = await migratedDatabase(t)
  await database.query(
    `INSERT INTO trigger_ledger (trigger_id, message_id, message_at, topic, partition, at)
     SELECT gen_random_uuid(), 'orders-0-1', now(), 'orders', 0, now() - days * interval '1 day'
     FROM unnest(ARRAY[6, 8]) AS given(days)`,
  )
  assert.equal(await sweepTriggers(database, RETENTION), 1)
  assert.equal(await sweepTriggers(database, RETENTION), 0)
})

it('resolved dead letters are forgotten after the retention, and those that wait never', async (t) => {
  const database = await migratedDatabase(t)
  const [waiting, recent, old] = await Promise.all(
    ['1', '2', '3'].map((offset) => giveUp(database, { offset })),
  )
  const resolve = (id: string | undefined, days: number) =>
    database.query(
      `UPDATE dead_letter SET state = 'replayed', resolved_at = now() - $2::int * interval '1 day' WHERE id = $1`,
      [id, days],
    )
  await database.query(`UPDATE dead_letter SET at = now() - interval '1 year'`)
  await resolve(recent, 29)
  await resolve(old, 31)
  assert.equal(await sweepTriggers(database, RETENTION), 1)
  const left = await database.query<{ id: string }>('SELECT id FROM dead_letter')
  assert.deepEqual(left.map(({ id }) => id).sort(), [waiting, recent].sort())
})
