import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { createSecrets } from '../../../src/adapters/secrets.js'
import { createAdapterStore } from '../../../src/adapters/store.js'
import { createNotifiers } from '../../../src/alerts/notifiers/notifiers.js'
import { createNotifierStore, publicNotifier } from '../../../src/alerts/notifiers/store.js'
import { createPolicy } from '../../../src/alerts/policies.js'
import { POLICY_DEFAULTS } from '../../../src/alerts/policy.js'
import { registryOf } from '../../../src/brokers/registry.js'
import { type LogFields, silentLog } from '../../../src/core/log.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { notice } from '../../helpers/notice.js'
import { answer, webhookReceiver } from '../../helpers/webhook-receiver.js'

const PASSWORD = 'hunter2-plain'
const MAIL = { host: 'smtp.example.com', from: 'a@example.com', to: 'b@example.com', user: 'relay' }

describe('notifiers', () => {
  it('are found by name and id, listed by name, and gone once deleted', async (t) => {
    const { store, notifiers } = await storeOn(t)
    for (const name of ['b', '值班', 'a']) await store.create({ name, kind: 'log', settings: {} })
    const found = await store.notifier('值班')
    assert.deepEqual(await store.notifier(found.id), found)
    assert.deepEqual(await notifiers.names(), ['a', 'b', '值班'])
    await store.delete('b')
    assert.deepEqual(await notifiers.names(), ['a', '值班'])
    await assert.rejects(store.notifier('b'), { code: 'NOT_FOUND' })
  })

  it('have names of their own', async (t) => {
    const { store } = await storeOn(t)
    await store.create({ name: 'a', kind: 'log', settings: {} })
    await assert.rejects(store.create({ name: 'a', kind: 'log', settings: {} }), { code: 'NAME_TAKEN' })
  })

  it('keep secrets and secret headers sealed, and show neither', async (t) => {
    const { store, database } = await storeOn(t)
    const url = `https://example.com/${PASSWORD}`
    const headers = { 'X-Api.Key': PASSWORD }
    const made = await store.create({ name: 'a', kind: 'webhook', settings: { url, headers } })
    const rows = await database.query('SELECT * FROM notifier')
    assert.doesNotMatch(JSON.stringify(rows), new RegExp(PASSWORD))
    assert.deepEqual(publicNotifier(made).settings, {
      url: '(secret)',
      headers: { 'X-Api.Key': '(secret)' },
    })
  })

  it('are changed without giving their secrets again', async (t) => {
    const { store } = await storeOn(t)
    const { settings } = await store.create({
      name: 'a',
      kind: 'mail',
      settings: { ...MAIL, password: PASSWORD },
    })
    const changed = await store.update('a', { settings: { ...settings, port: 2525 } })
    assert.equal(changed.settings.port, 2525)
    assert.equal(changed.settings.password, settings.password)
    await store.open(changed, silentLog)
    const other = await store.update('a', { settings: { ...settings, password: 'another' } })
    assert.notEqual(other.settings.password, settings.password)
    await store.open(other, silentLog)
  })

  it('stay as they are when a change is refused', async (t) => {
    const { store } = await storeOn(t)
    const before = await store.create({ name: 'a', kind: 'mail', settings: { ...MAIL, password: PASSWORD } })
    await assert.rejects(store.update('a', { settings: { ...before.settings, to: 'nobody' } }), {
      code: 'SETTINGS_INVALID',
    })
    assert.deepEqual(await store.notifier('a'), before)
  })

  it('keep the variables they refer to from being deleted', async (t) => {
    const { store, adapters } = await storeOn(t)
    await adapters.setVariable({ name: 'HOOK', value: 'example.com', secret: false, description: '' })
    await store.create({ name: 'ops', kind: 'webhook', settings: { url: 'https://@env(HOOK)/x' } })
    assert.deepEqual((await adapters.variableUsers())('HOOK'), ['notifier ops'])
    await assert.rejects(adapters.deleteVariable('HOOK', { force: false }), {
      code: 'ENV_IN_USE',
      message: /"notifier ops"/,
    })
  })

  it('are not deleted while policies name them', async (t) => {
    const { store, database } = await storeOn(t)
    await store.create({ name: 'ops', kind: 'log', settings: {} })
    const { id } = await createPolicy(database, {
      ...POLICY_DEFAULTS,
      ...{ name: 'orders-fail', metric: 'errors', operator: 'above', threshold: 1, notifiers: ['ops'] },
    })
    await assert.rejects(store.delete('ops'), {
      code: 'NOTIFIER_IN_USE',
      message: /told by "orders-fail": change/,
    })
    await database.query('DELETE FROM alert_policy WHERE id = $1', [id])
    await store.delete('ops')
  })

  it('deliver with the values that variables have at that moment', async (t) => {
    const { store, adapters, notifiers } = await storeOn(t)
    const [first, second] = [await webhookReceiver(t, [answer(200)]), await webhookReceiver(t, [answer(200)])]
    const point = (value: string) =>
      adapters.setVariable({ name: 'HOOK', value, secret: true, description: '' })
    await point(first.url)
    await store.create({ name: 'ops', kind: 'webhook', settings: { url: '@env(HOOK)' } })
    await notifiers.send('ops', notice())
    await point(second.url)
    await notifiers.send('ops', notice())
    assert.deepEqual([first.requests.length, second.requests.length], [1, 1])
  })

  it('deliver nothing while they are disabled', async (t) => {
    const { store, notifiers, lines } = await storeOn(t)
    await store.create({ name: 'ops', kind: 'log', settings: {}, enabled: false })
    await assert.rejects(notifiers.send('ops', notice()), { code: 'NOTIFIER_DISABLED', retryable: false })
    assert.deepEqual(lines, [])
    await store.setEnabled('ops', true)
    await notifiers.send('ops', notice())
    assert.equal(lines.length, 1)
  })

  it('write to the log at the level of the severity, and what is over as info', async (t) => {
    const { store, notifiers, lines } = await storeOn(t)
    await store.create({ name: 'log', kind: 'log', settings: {} })
    for (const severity of ['critical', 'warning', 'info'] as const)
      await notifiers.send('log', notice({ severity }))
    await notifiers.send('log', notice({ kind: 'resolved', title: 'Resolved: orders-errors' }))
    assert.deepEqual(
      lines.map(([level, message]) => [level, message]),
      [
        ['error', 'Firing: orders-errors (orders)'],
        ['warn', 'Firing: orders-errors (orders)'],
        ['info', 'Firing: orders-errors (orders)'],
        ['info', 'Resolved: orders-errors'],
      ],
    )
    assert.equal(lines[0]?.[2]?.alertId, notice().alertId)
  })

  it('tell of a name that nobody has', async (t) => {
    const { notifiers } = await storeOn(t)
    await assert.rejects(notifiers.send('gone', notice()), { code: 'NOT_FOUND', message: /"gone"/ })
  })
})

type Line = [level: string, message: string, fields?: LogFields]

async function storeOn(t: TestContext) {
  const database = await migratedDatabase(t)
  const secrets = createSecrets(() => randomBytes(32))
  const adapters = createAdapterStore(database, registryOf(), secrets)
  const store = createNotifierStore(database, adapters, secrets)
  const lines: Line[] = []
  const write = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push(fields ? [level, message, fields] : [level, message])
  const log = {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: () => log,
  }
  return { database, adapters, store, notifiers: createNotifiers(store, log), lines }
}
