import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ok, refused } from '../../helpers/cli.js'
import { deadLetterCli, GIVEN_UP, giveUp } from '../../helpers/dead-letters.js'

const deadLetter = (...args: string[]) => ['dead-letter', ...args]

test('Dead letters at the command line', async (t) => {
  const { cli, database, adapter } = await deadLetterCli(t)

  await t.test('none are there at first', async () => {
    assert.equal(await ok(cli, deadLetter('list')), 'No dead letters match.\n')
    assert.equal(
      await ok(cli, deadLetter('discard', '--all', '--reason', 'x')),
      'No waiting dead letters match.\n',
    )
  })

  const order = await giveUp(
    database,
    { offset: '1', value: Buffer.from('{"n": 9007199254740993}'), headers: { source: ['shop', 'web'] } },
    { adapter },
  )
  const image = await giveUp(database, { offset: '2', key: null, value: Buffer.from([0xff]) }, { adapter })
  const orphan = await giveUp(database, { offset: '3', topic: 'payments', value: null })

  await t.test('those that wait are listed, page by page', async () => {
    const { stdout, stderr } = await cli.run(deadLetter('list', '--limit', '2', '--total'))
    assert.match(
      stdout,
      new RegExp(
        `waiting +start-orders +orders +0 +2 +3 +variables +${image} +EXPRESSION_INVALID: variables: wrong`,
      ),
    )
    assert.match(stderr, /3 dead letters match\./)
    const page = /--page (\S+)/.exec(stderr)?.[1] ?? assert.fail(stderr)
    const rest = await ok(cli, deadLetter('list', '--page', page, '--json'))
    const { id, topic, valueBytes, offset } = JSON.parse(rest)
    assert.deepEqual([id, topic, valueBytes, offset], [order, 'orders', 23, '1'])
  })

  await t.test("one is shown whole, read by its adapter's serialization", async () => {
    const shown = await ok(cli, deadLetter('show', order))
    for (const text of [
      /errorText +variables: wrong/,
      /source +shop\nsource +web\n/,
      /Key:\ncustomer 1\n\nValue:\n{"n": 9007199254740993}/,
    ])
      assert.match(shown, text)
    const json = await ok(cli, deadLetter('show', order, '--json'))
    assert.match(
      json,
      /"headers":{"source":\["shop","web"]},"key":"customer 1","value":{"n": 9007199254740993}}/,
    )
    assert.match(
      await ok(cli, deadLetter('show', order, '--base64', '--json')),
      /"value":"eyJuIjogOTAwNzE5OTI1NDc0MDk5M30="/,
    )
  })

  await t.test(
    'one that its adapter cannot read, or whose adapter is gone, is shown all the same',
    async () => {
      const unreadable = await cli.run(deadLetter('show', image))
      assert.match(unreadable.stdout, /No key\.\n\nValue:\n{"base64":"\/w=="}/)
      assert.match(unreadable.stderr, /VALUE_NOT_DESERIALIZABLE/)
      const orphaned = await cli.run(deadLetter('show', orphan))
      assert.match(orphaned.stdout, /Key:\ncustomer 1\n\nNo value: a tombstone\./)
      assert.match(orphaned.stderr, /NOT_FOUND: there is no adapter/)
      await refused(
        cli,
        deadLetter('show', 'x'),
        1,
        /NOT_FOUND: there is no dead letter "x": `bpmn-relay dead-letter list`/,
      )
    },
  )

  await t.test('what is discarded must be said, and confirmed where it is not named by id', async () => {
    const reason = ['--reason', 'tests']
    await refused(cli, deadLetter('discard', ...reason), 2, /say which: ids, or --trigger/)
    await refused(cli, deadLetter('discard', order, '--all', ...reason), 2, /say which/)
    await refused(cli, deadLetter('discard', '--topic', 'orders', ...reason), 2, /must be confirmed.*--yes/)
    await refused(cli, deadLetter('discard', order), 2, /--reason <text>' not specified/)
    assert.equal(await ok(cli, deadLetter('discard', order, ...reason)), 'Discarded: 1 dead letter.\n')
    await refused(
      cli,
      deadLetter('discard', order, ...reason),
      1,
      /does not wait any more: \S+ has discarded it/,
    )
    assert.equal(
      await ok(cli, deadLetter('discard', '--trigger', GIVEN_UP.trigger.name, '--yes', ...reason)),
      'Discarded: 2 dead letters.\n',
    )
    assert.match(await ok(cli, deadLetter('list')), /^No dead letters match/)
    assert.match(await ok(cli, deadLetter('list', '--state', 'discarded')), new RegExp(order))
    assert.match(await ok(cli, deadLetter('show', order)), /resolvedNote +tests/)
  })
})
