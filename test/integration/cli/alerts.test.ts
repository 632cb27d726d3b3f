import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { evaluate } from '../../../src/alerts/evaluate.js'
import { silentLog } from '../../../src/core/log.js'
import { openDatabase } from '../../../src/db/database.js'
import { KEPT } from '../../helpers/alerts.js'
import { commandLine, ok, refused } from '../../helpers/cli.js'

const alert = (...args: string[]) => ['alert', ...args]
const policy = (...args: string[]) => ['alert', 'policy', ...args]

test('Alerts at the command line', async (t) => {
  const cli = await commandLine(t)
  await ok(cli, ['adapter', 'create', '--name', 'orders', '--kind', 'kafka', '--address', 'localhost:9092'])
  await ok(cli, ['notifier', 'create', '--name', 'ops', '--kind', 'log'])

  await t.test('no policy is there before one is chosen; presets and metrics are explained', async () => {
    assert.match(await ok(cli, policy('list')), /^No alert policies yet: `bpmn-relay alert policy presets`/)
    assert.match(await ok(cli, policy('presets')), /broker-out-of-reach +critical +circuit_open > 0 for 30 s/)
    assert.match(
      await ok(cli, policy('metrics')),
      /error_rate +share, 0 to 1 +each adapter in a window, or --total/,
    )
  })

  await t.test('a policy is made from a preset, changed, shown and listed', async () => {
    await ok(
      cli,
      policy(
        'create',
        '--preset',
        'error-rate',
        '--name',
        'fails',
        '--adapter',
        'orders',
        '--notifier',
        'ops',
      ),
    )
    await ok(
      cli,
      policy('update', 'fails', '--threshold', '1%', '--recovery', '0.005', '--for', '90s', '--owner', 'ada'),
    )
    assert.match(
      await ok(cli, policy('list')),
      /^fails +yes +warning +error_rate > 1 % in 5 min for 90 s +ops/m,
    )
    const shown = await ok(cli, policy('show', 'fails'))
    for (const line of [/adapters +orders/, /owners +ada/, /recoveryThreshold +0\.005/])
      assert.match(shown, line)
  })

  await t.test('a policy without a preset says all it needs', async () => {
    const made = ['--metric', 'workers', '--operator', 'below', '--threshold', '1', '--severity', 'critical']
    const { stderr, stdout } = await cli.run(
      policy('create', '--name', 'nobody', ...made, '--notifier', 'ops'),
    )
    assert.match(stdout, /Alert policy "nobody" is made: id/, stderr)
    await refused(
      cli,
      policy('create', '--name', 'x', '--metric', 'calls'),
      2,
      /give --name, --metric, --operator and --threshold/,
    )
  })

  await t.test('what cannot be is refused with the cure', async () => {
    const calls = ['create', '--name', 'x', '--operator', 'above', '--threshold', '1']
    await refused(
      cli,
      policy(...calls, '--metric', 'call'),
      1,
      /SETTINGS_INVALID: metric "call" is not known: use one of error_rate/,
    )
    await refused(
      cli,
      policy(...calls, '--metric', 'calls', '--notifier', 'me'),
      1,
      /NOT_FOUND: there is no notifier "me": use one of ops/,
    )
    await refused(
      cli,
      policy(...calls, '--metric', 'calls', '--window', '90s'),
      1,
      /window is 1\.5 minutes: use whole minutes/,
    )
    await refused(
      cli,
      policy(...calls, '--metric', 'calls', '--adapter', 'news'),
      1,
      /there is no adapter "news"/,
    )
    await refused(
      cli,
      policy('enable', 'x'),
      1,
      /NOT_FOUND: there is no alert policy "x": `bpmn-relay alert policy list`/,
    )
  })

  await t.test('a test goes through the notifiers of a policy', async () => {
    assert.match(await ok(cli, alert('test', 'fails')), /Notifier "ops" has delivered it\./)
  })

  await t.test('an alert is listed, shown, acknowledged and silenced', async (t) => {
    await evaluateOnce(t, cli.databaseUrl)
    const [listed = '{}'] = (await ok(cli, alert('list', '--state', 'firing', '--json'))).split('\n')
    const { id, policy: name } = JSON.parse(listed)
    assert.equal(name, 'nobody')
    assert.match(
      await ok(cli, alert('ack', id, '--note', 'starting one')),
      /looks after the alert of "nobody"/,
    )
    const shown = await ok(cli, alert('show', id))
    for (const line of [/acknowledgedNote +starting one/, /firing +ops +(waiting|delivered)/])
      assert.match(shown, line)
    assert.match(await ok(cli, alert('list', '--no-acknowledged')), /^No alerts match\./)
    assert.match(
      await ok(cli, alert('list', '--acknowledged')),
      /Live workers of this deployment is 0 \(< 1\)\./,
    )

    const added = await ok(
      cli,
      alert('silence', 'add', '--policy', 'nobody', '--for', '2h', '--reason', 'move'),
    )
    const silence = / silence (\S+)\.$/m.exec(added)?.[1] ?? assert.fail(added)
    assert.match(await ok(cli, alert('silence', 'list')), /nobody +any +any +\S+ +move/)
    await ok(cli, alert('silence', 'remove', silence))
    assert.match(await ok(cli, alert('silence', 'list')), /^No silences\./)
    await refused(cli, alert('silence', 'add', '--for', '2h', '--reason', 'x'), 2, /say what is silenced/)
  })

  await t.test('a policy is disabled and deleted', async () => {
    await ok(cli, policy('disable', 'fails'))
    assert.match(await ok(cli, policy('list')), /^fails +no /m)
    await ok(cli, policy('delete', 'fails', '--yes'))
    assert.doesNotMatch(await ok(cli, policy('list')), /^fails/m)
  })

  await t.test('every deed is in the audit log', async () => {
    const log = await ok(cli, ['audit', 'list', '--source', 'admin', '--json', '--limit', '100'])
    const operations = new Set(
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).operation),
    )
    for (const operation of [
      ...['alert-policy.create', 'alert-policy.update', 'alert-policy.disable', 'alert-policy.delete'],
      ...['alert-policy.test', 'alert.acknowledge', 'alert-silence.create', 'alert-silence.delete'],
    ])
      assert.ok(operations.has(operation), `${operation} is missing`)
  })
})

/** What a worker would do now. */
async function evaluateOnce(t: TestContext, databaseUrl: string): Promise<void> {
  const database = await openDatabase({ url: databaseUrl, poolSize: 2, timeoutMs: 5000 }, silentLog)
  t.after(() => database.close())
  await database.query(`UPDATE alert_evaluation SET evaluated_at = now() - interval '4 s'`)
  await evaluate(database, { kept: KEPT, heartbeatsCount: true, log: silentLog })
}
