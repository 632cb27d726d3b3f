import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { silentLog } from '../../../src/core/log.js'
import { openDatabase } from '../../../src/db/database.js'
import { trigger as triggerOf } from '../../../src/trigger/triggers.js'
import { commandLine, ok, refused } from '../../helpers/cli.js'
import { createTopic, withAdmin } from '../../helpers/kafka.js'
import { newName, shared } from '../../helpers/operator.js'
import { deadAddress } from '../../helpers/unwell-servers.js'

const trigger = (...args: string[]) => ['trigger', ...args]

test('Triggers at the command line', async (t) => {
  const cli = await commandLine(t)
  const made = (...args: string[]) => ok(cli, trigger('create', '--name', ...args))
  const warned = async (args: string[]) => {
    const { code, stderr } = await cli.run(args)
    assert.equal(code, 0, stderr)
    return stderr
  }
  for (const [name, kind, address] of [
    ['orders', 'kafka', shared()],
    ['away', 'kafka', await deadAddress()],
    ['news', 'rocketmq', await deadAddress()],
  ] as const) {
    await ok(cli, ['adapter', 'create', '--name', name, '--kind', kind, '--address', address])
  }
  const topic = await createTopic(shared(), { partitions: 2 })
  // The shared brokers keep groups beyond this test.
  const group = newName()

  await t.test('are none at first', async () => {
    assert.match(await ok(cli, trigger('list')), /^No triggers yet: `bpmn-relay trigger create --help`/)
  })

  await t.test('start processes', async () => {
    assert.match(
      await made(
        ...['orders-in', '--adapter', 'orders', '--topic', topic, '--group', group],
        ...['--start', 'order', '--process-version', '3'],
      ),
      /^Trigger "orders-in" is made: id [0-9a-f-]{36}\.$/m,
    )
    assert.match(
      await ok(cli, trigger('list')),
      new RegExp(`^orders-in +running +orders +${topic} +start order v3 +${group}$`, 'm'),
    )
  })

  await t.test('correlate messages, each setting given at the command line', async () => {
    await made(
      ...['paid', '--description', 'payments', '--adapter', 'news', '--topic', 'a', 'b', '--tag', 'x', 'y'],
      ...['--message', 'payment', '--correlation-key', '=value.id', '--message-id', '=key', '--ttl', 'PT2H'],
      ...['--group', 'payers', '--order', 'queue', '--concurrency', '7', '--condition', '=value.n > 0'],
      ...['--variables', '={n: value.n}', '--initial-offset', 'oldest', '--on-undeserializable', 'skip'],
      ...['--max-attempts', '3', '--retry-back-off', '500', '--retry-back-off-max', '2m'],
      ...['--dead-letter-topic', 'dead', '--dead-letter-adapter', 'orders', '--state', 'paused'],
    )
    const shown = await ok(cli, trigger('show', 'paid'))
    for (const line of [
      ...[/description +payments/, /state +paused/, /adapter +news/, /topics +a, b/, /filter +tag x or y/],
      ...[/group +payers/, /order +queue/, /concurrency +7$/, /batchSize +1, as the adapter says/],
      ...[/action +message payment/, /correlationKey +=value\.id/, /messageId +=key/, /ttlMs +7200000/],
      ...[/activationCondition +=value\.n > 0/, /variables +=\{n: value\.n\}/, /initialOffset +earliest/],
      ...[/onUndeserializable +skip/, /maxAttempts +3/, /retryBackOffMs +500/, /retryBackOffMaxMs +120000/],
      ...[/deadLetterTopic +dead/, /deadLetterAdapter +orders/],
    ]) {
      assert.match(shown, new RegExp(`^${line.source}`, 'm'))
    }
  })

  await t.test('forward, from all topics of a pattern', async () => {
    await made('copy', ...['--adapter', 'away', '--topic-pattern', 'eu-.*', '--forward', 'orders'])
    await ok(cli, trigger('update', 'copy', '--forward-topic', 'all'))
    assert.match(
      await ok(cli, trigger('list')),
      /^copy +running +away +\/eu-\.\*\/ +forward to orders, topic all/m,
    )
  })

  await t.test('change what is given and nothing else', async () => {
    const changes = ['--message', 'refund', '--no-condition', '--no-concurrency', '--no-dead-letter-topic']
    assert.equal(
      await ok(cli, trigger('update', 'paid', '--name', 'back', ...changes)),
      'Trigger "back" is changed.\n',
    )
    const { trigger: changed } = JSON.parse(await ok(cli, trigger('show', 'back', '--json')))
    const { action, activationCondition, concurrency, deadLetterTopic, deadLetterAdapterId, group } = changed
    const emptied = {
      activationCondition: null,
      concurrency: null,
      deadLetterTopic: null,
      deadLetterAdapterId: null,
    }
    assert.deepEqual(
      { action, activationCondition, concurrency, deadLetterTopic, deadLetterAdapterId, group },
      {
        action: {
          kind: 'message',
          name: 'refund',
          correlationKey: '=value.id',
          messageId: '=key',
          ttlMs: 7_200_000,
        },
        ...emptied,
        group: 'payers',
      },
    )
  })

  await t.test('tell of what may not be meant', async () => {
    assert.match(
      await warned(trigger('update', 'orders-in', '--concurrency', '5')),
      /^Warning: concurrency 5 is above the 2 partitions there are: messages of one partition are then handled side/,
    )
    const same = ['--adapter', 'orders', '--group', group, '--start', 'order']
    const stderr = await warned(
      trigger('create', '--name', 'twin', ...same, '--topic', 'not-there', '--acknowledge', 'received'),
    )
    for (const warning of [
      /^Warning: acknowledge is received: messages in the hands of a worker that dies are lost\.$/m,
      new RegExp(`^Warning: group "${group}" is that of trigger "orders-in" too, with other topics: `, 'm'),
      /^Warning: topic not-there is not there: the trigger waits for it\.$/m,
    ]) {
      assert.match(stderr, warning)
    }
    assert.match(
      await warned(trigger('update', 'twin', '--topic', topic)),
      /is that of trigger "orders-in" too, with the same topics: each message goes to one of the two only\./,
    )
    await ok(cli, trigger('delete', 'twin', '--yes'))
  })

  await t.test('show how far they have read', async () => {
    assert.match(
      await ok(cli, trigger('show', 'orders-in')),
      new RegExp(`^Group ${group} has read nothing yet\\.$`, 'm'),
    )
    await withAdmin(shared(), (admin) =>
      admin.setOffsets({
        ...{ groupId: group, topic },
        partitions: [0, 1].map((partition) => ({ partition, offset: '0' })),
      }),
    )
    const shown = await ok(cli, trigger('show', 'orders-in'))
    assert.match(
      shown,
      new RegExp(`^TOPIC +PARTITION +CURRENT +END +LAG\n${topic} +0 +0 +0 +0\n${topic} +1 +0 +`, 'm'),
    )
    assert.match(shown, /^No worker consumes for it just now\.$/m)
  })

  await t.test('show all else while their broker is away', async () => {
    const shown = await ok(cli, trigger('show', 'copy'))
    assert.match(
      shown,
      /^How far it has read is not known: Kafka at 127\.0\.0\.1:\d+ failed while .*ECONNREFUSED/m,
    )
  })

  await t.test('are paused, resumed and stopped', async () => {
    assert.match(await ok(cli, trigger('pause', 'orders-in')), /is paused: its workers stay in the group/)
    assert.match(await ok(cli, trigger('list')), /^orders-in +paused /m)
    assert.match(await ok(cli, trigger('stop', 'orders-in')), /is stopped: its workers leave the group\./)
    assert.match(await ok(cli, trigger('show', 'orders-in')), /^No worker: it is stopped\.$/m)
    assert.equal(await ok(cli, trigger('resume', 'orders-in')), 'Trigger "orders-in" is running.\n')
  })

  await t.test('begin where they are told, and are moved', async () => {
    const place = (partition: number, offset: number) => `${topic}/${partition}: ${offset}`
    await made(
      ...[
        'late',
        '--adapter',
        'orders',
        '--topic',
        topic,
        '--start',
        'order',
        '--startup',
        'specific-offsets',
      ],
      ...['--startup-offset', place(0, 91), place(1, 11)],
    )
    assert.match(await ok(cli, trigger('list')), /^late +running, to be moved /m)
    assert.match(
      await ok(cli, trigger('show', 'late')),
      new RegExp(
        `^Still to be moved: topic ${topic}, partition 0 to offset 91; topic ${topic}, partition 1 to `,
        'm',
      ),
    )
    const time = '2020-02-01 04:15:00.00 Z'
    assert.match(
      await ok(cli, trigger('seek', 'late', '--to', time, '--partition', '0', '1', '--yes')),
      /^Trigger "late" goes on at 2020-02-01T04:15:00\.000Z as soon as its group is moved/,
    )
    const { pendingMoves } = await stored(t, cli.databaseUrl, 'late')
    assert.deepEqual(pendingMoves.at(-1), {
      ...{ to: { at: 'time', time: Date.UTC(2020, 1, 1, 4, 15) }, partitions: [0, 1] },
    })
    await ok(cli, trigger('seek', 'late', '--to', 'earliest', '--yes'))
    assert.deepEqual((await stored(t, cli.databaseUrl, 'late')).pendingMoves, [{ to: { at: 'earliest' } }])
  })

  const wrongly: [what: string, args: string[], said: RegExp][] = [
    [
      'no adapter',
      ['create', '--name', 'x', '--topic', 't', '--start', 'p'],
      /error: give --adapter, and one of/,
    ],
    [
      'no action',
      ['create', '--name', 'x', '--adapter', 'orders', '--topic', 't'],
      /one of --start, --message and --forward/,
    ],
    [
      'two actions',
      ['create', '--name', 'x', '--adapter', 'orders', '--topic', 't', '--start', 'p', '--forward', 'news'],
      /a trigger does one thing: give one of --start, --message and --forward/,
    ],
    ['a part of another action', ['update', 'orders-in', '--ttl', '1h'], /--ttl goes with --message only/],
    [
      'a duration that is none',
      ['update', 'back', '--ttl', 'long'],
      /Give milliseconds, or a duration such as 90s/,
    ],
    ['an offset of no partition', ['seek', 'late', '--to', '91', '--yes'], /add --partition/],
    ['a move that nobody confirms', ['seek', 'late', '--to', 'latest'], /add --yes/],
  ]
  for (const [what, args, said] of wrongly) {
    await t.test(`are wrongly used with ${what}`, async () => {
      await refused(cli, trigger(...args), 2, said)
    })
  }

  const orders = ['create', '--name', 'x', '--adapter', 'orders', '--topic', 't']
  const invalid: [what: string, args: string[], said: RegExp][] = [
    [
      'an unknown adapter',
      ['create', '--name', 'x', '--adapter', 'y', '--topic', 't', '--start', 'p'],
      /^NOT_FOUND: /,
    ],
    [
      'a wrong expression',
      [...orders, '--start', 'p', '--condition', 'a >'],
      /^SETTINGS_INVALID: activationCondition/,
    ],
    ['no correlation key', [...orders, '--message', 'm'], /^SETTINGS_INVALID: correlationKey is empty/],
    [
      'an unknown start',
      [...orders, '--start', 'p', '--startup', 'now'],
      /^SETTINGS_INVALID: startup position "now"/,
    ],
    [
      'an offset of a topic that is another one',
      [...orders, '--start', 'p', '--startup', 'specific-offsets', '--startup-offset', 'u/0: 1'],
      /^SETTINGS_INVALID: topic "u" is none that trigger "x" listens to: use one of t/,
    ],
    [
      'an offset that is none',
      [...orders, '--start', 'p', '--startup-offset', 'u'],
      /write it as topic\/partition: offset/,
    ],
    [
      'a name that is taken',
      ['update', 'back', '--name', 'late'],
      /^NAME_TAKEN: there is a trigger "late" already/,
    ],
    ['a name that is not', ['pause', 'x'], /^NOT_FOUND: there is no trigger "x": `bpmn-relay trigger list`/],
  ]
  for (const [what, args, said] of invalid) {
    await t.test(`are refused with ${what}`, async () => {
      await refused(cli, trigger(...args), 1, said)
    })
  }

  await t.test('keep the adapters they refer to', async () => {
    await refused(
      cli,
      ['adapter', 'delete', 'orders', '--yes'],
      1,
      /^ADAPTER_IN_USE: adapter "orders" is used by triggers "copy", "late", "orders-in": change or delete them first/,
    )
  })

  await t.test('are deleted, and all that was done is in the audit log', async () => {
    assert.match(
      await ok(cli, trigger('delete', 'late', '--yes')),
      /Its consumer group bpmn-relay-late keeps its offsets/,
    )
    const log = await ok(cli, ['audit', 'list', '--source', 'admin'])
    for (const deed of ['create', 'update', 'pause', 'resume', 'stop', 'seek', 'delete']) {
      assert.match(log, new RegExp(` done +trigger\\.${deed} +orders +(orders-in|late|twin) `))
    }
    assert.match(log, / rejected +trigger\.create +orders +x .*SETTINGS_INVALID: correlationKey is empty/)
  })
})

async function stored(t: TestContext, url: string, name: string) {
  const database = await openDatabase({ url, poolSize: 1, timeoutMs: 5000 }, silentLog)
  t.after(() => database.close())
  return await triggerOf(database, name)
}
