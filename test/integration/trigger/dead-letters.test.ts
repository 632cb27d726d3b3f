import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discardDeadLetters } from '../../../src/admin/dead-letter-admin.js'
import { RelayError } from '../../../src/core/errors.js'
import { withSession } from '../../../src/db/session.js'
import {
  type DeadLetterFilter,
  deadLetterById,
  deadLetterCount,
  deadLetterPage,
  inboundOf,
} from '../../../src/trigger/dead-letters.js'
import { chosenLetters, claimLetter } from '../../../src/trigger/resolve-dead-letters.js'
import { GIVEN_UP, giveUp } from '../../helpers/dead-letters.js'
import { inboundMessage } from '../../helpers/inbound-message.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'

const OTHER = {
  trigger: { ...GIVEN_UP.trigger, id: '0198b3f0-0000-7000-8000-000000000009', name: 'pay' },
  stage: 'action',
  error: new RelayError('INPUT_INVALID', 'no such process'),
} as const

test('Dead letters are found', async (t) => {
  const database = await migratedDatabase(t)
  const first = await giveUp(database, { offset: '1' })
  const second = await giveUp(database, { offset: '2', topic: 'payments' }, { ...OTHER, requestId: 'r2' })
  const third = await giveUp(database, { offset: '3', value: null }, OTHER)
  const found = async (filter: DeadLetterFilter) =>
    (await deadLetterPage(database, filter, { limit: 10 })).letters.map(({ id }) => id)

  await t.test('the latest first, page by page', async () => {
    const page = await deadLetterPage(database, {}, { limit: 2 })
    assert.deepEqual(
      page.letters.map(({ id, valueBytes }) => [id, valueBytes]),
      [
        [third, null],
        [second, 11],
      ],
    )
    const last = await deadLetterPage(database, {}, { limit: 2, after: page.next ?? undefined })
    assert.deepEqual([last.letters.map(({ id }) => id), last.next], [[first], null])
  })

  await t.test('by all that a filter names', async () => {
    assert.deepEqual(await found({ trigger: 'start-orders' }), [first])
    assert.deepEqual(await found({ trigger: OTHER.trigger.id, stage: 'action' }), [third, second])
    assert.deepEqual(await found({ errorCode: 'INPUT_INVALID', topic: 'payments' }), [second])
    assert.deepEqual(await found({ requestId: 'r2' }), [second])
    assert.deepEqual(await found({ adapter: 'kafka', state: 'replayed' }), [])
    const { at } = await deadLetterById(database, second)
    assert.deepEqual(await found({ until: at }), [first])
    assert.deepEqual(await found({ since: new Date(at.getTime() + 3_600_000) }), [])
    assert.equal(await deadLetterCount(database, { trigger: 'pay' }), 2)
  })

  await t.test('and give the message back as it was, delivered once more', async () => {
    const message = inboundMessage({
      queue: { topic: '%RETRY%g', partition: 3, broker: 'b-1' },
      key: null,
      value: Buffer.from([0, 0xff]),
      headers: { one: 'ü', many: ['a', Buffer.from([0xff])], nul: 'a\0b' },
      tag: 'paid',
      keys: ['a', 'b c'],
      messageGroup: 'g',
    })
    const { attempts, ...letter } = await deadLetterById(
      database,
      await giveUp(database, { ...message, offset: '9223372036854775807' }),
    )
    assert.deepEqual(inboundOf({ attempts, ...letter }), {
      ...message,
      id: 'orders-0-7',
      offset: '9223372036854775807',
      queue: { topic: 'orders', partition: 3, broker: 'b-1' },
      headers: { ...message.headers, nul: Buffer.from('a\0b') },
      attempt: attempts + 1,
    })
  })

  await t.test('and refused where there are none', async () => {
    await assert.rejects(deadLetterById(database, 'x'), /NOT_FOUND|there is no dead letter "x"/)
    await assert.rejects(deadLetterPage(database, {}, { limit: 1, after: 'x' }), { code: 'INPUT_INVALID' })
  })
})

test('Letters are discarded with a row in the audit log each', async (t) => {
  const database = await migratedDatabase(t)
  const ada = { database, actor: 'ada' }
  const ids = [await giveUp(database, { offset: '1' }), await giveUp(database, { offset: '2' })]
  const [first = '', second = ''] = ids

  await t.test('but for one that somebody is replaying', async () => {
    const discarded = await withSession(database.url, 1000, async (session) => {
      assert.ok(await claimLetter(session, second))
      return await discardDeadLetters(ada, ids, 'tests')
    })
    assert.equal(discarded, 1)
    assert.deepEqual(await chosenLetters(database, { filter: {} }), [second])
  })

  await t.test('and kept, with the reason', async () => {
    const { state, resolvedBy, resolvedNote, resolvedAt } = await deadLetterById(database, first)
    assert.deepEqual([state, resolvedBy, resolvedNote], ['discarded', 'ada', 'tests'])
    assert.ok(resolvedAt)
    const rows = await database.query(
      'SELECT operation, actor, status, request_id, adapter_name, destination, request::jsonb FROM sys_audit_log',
    )
    assert.deepEqual(rows, [
      {
        operation: 'dead-letter.discard',
        actor: 'ada',
        status: 'done',
        request_id: 'r1',
        adapter_name: 'kafka',
        destination: 'orders',
        request: { deadLetter: first, trigger: 'start-orders', reason: 'tests' },
      },
    ])
  })

  await t.test('and cannot be chosen again', async () => {
    await assert.rejects(chosenLetters(database, { ids: [second, first] }), {
      code: 'INPUT_INVALID',
      message: `dead letter ${first} does not wait any more: ada has discarded it`,
    })
    await assert.rejects(chosenLetters(database, { ids: [second, 'x'] }), { code: 'NOT_FOUND' })
  })
})
