import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RelayError } from '../../../src/core/errors.js'
import { deadLettersJson, insertDeadLetters } from '../../../src/trigger/dead-letter-rows.js'
import { deadLetterOf } from '../../../src/trigger/give-up.js'
import { GIVEN_UP } from '../../helpers/dead-letters.js'
import { inboundMessage } from '../../helpers/inbound-message.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'

test('Dead letters are written within another statement', async (t) => {
  const database = await migratedDatabase(t)
  const write = (...letters: Parameters<typeof deadLettersJson>[0]) =>
    database.query(`WITH dead AS (${insertDeadLetters('$1')}) SELECT`, [deadLettersJson(letters)])

  await t.test('with all bytes and digits of the message', async () => {
    const message = inboundMessage({
      offset: '9223372036854775807',
      key: Buffer.from([0, 0xff]),
      headers: { source: ['shop', Buffer.from([0xff]), 'a\0b'] },
      tag: 'paid',
      keys: ['a b', '"{,}'],
    })
    await write(deadLetterOf(message, GIVEN_UP))
    const [row] = await database.query(
      'SELECT queue_offset, key, value, headers, tag, keys, broker, attempts, message_at, state FROM dead_letter',
    )
    assert.deepEqual(row, {
      queue_offset: '9223372036854775807',
      key: Buffer.from([0, 0xff]),
      value: Buffer.from('{"order":1}'),
      headers: { source: ['shop', { base64: '/w==' }, { base64: 'YQBi' }] },
      tag: 'paid',
      keys: ['a b', '"{,}'],
      broker: null,
      attempts: 3,
      message_at: new Date('2026-01-31T08:00:00.123Z'),
      state: 'waiting',
    })
  })

  await t.test('once a message: one that fails again waits again, with the new reason', async () => {
    const message = inboundMessage({ id: 'orders-0-8', value: null })
    const letter = deadLetterOf(message, GIVEN_UP)
    await write(letter)
    await database.query(
      `UPDATE dead_letter SET state = 'discarded', resolved_at = now(), resolved_by = 'ada' WHERE id = $1`,
      [letter.id],
    )
    const error = new RelayError('INPUT_INVALID', 'no such process')
    const again = deadLetterOf({ ...message, attempt: 5 }, { ...GIVEN_UP, stage: 'action', error })
    await write(letter, again)
    const rows = await database.query(
      `SELECT id, attempts, stage, error_code, state, resolved_by FROM dead_letter WHERE message_id = 'orders-0-8'`,
    )
    assert.deepEqual(rows, [
      {
        id: letter.id,
        attempts: 5,
        stage: 'action',
        error_code: 'INPUT_INVALID',
        state: 'waiting',
        resolved_by: null,
      },
    ])
  })

  await t.test('whatever time its sender took for milliseconds', async () => {
    for (const timestamp of [1.7e18, -1, -9e18]) {
      await write(deadLetterOf(inboundMessage({ id: `orders-1-${timestamp}`, timestamp }), GIVEN_UP))
    }
  })

  await t.test('none at all where there are none', async () => {
    await write()
  })
})
