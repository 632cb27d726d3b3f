import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { createSecrets } from '../../../src/adapters/secrets.js'
import { createAdapterStore } from '../../../src/adapters/store.js'
import { createNotifierAdmin } from '../../../src/admin/notifier-admin.js'
import { registryOf } from '../../../src/brokers/registry.js'
import { silentLog } from '../../../src/core/log.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { answer, webhookReceiver } from '../../helpers/webhook-receiver.js'

const TOKEN = 'in-the-open-token'

describe('what an operator does with a notifier', () => {
  it('is audited, without secrets', async (t) => {
    const { admin, rows } = await adminOn(t)
    const { url } = await webhookReceiver(t, [answer(200)])
    const settings = { url: `${url}/${TOKEN}`, headers: { 'X-Token': TOKEN } }
    const made = await admin.create({ name: 'ops', kind: 'webhook', settings })
    await admin.test('ops')
    await admin.update(made, { settings: { ...made.settings, language: 'zh' } })
    await admin.setEnabled('ops', false)
    await admin.setEnabled('ops', true)
    await admin.delete('ops')
    const found = await rows()
    assert.deepEqual(
      found.map(({ operation, actor, destination, status }) => [operation, actor, destination, status]),
      ['create', 'test', 'update', 'disable', 'enable', 'delete'].map((each) => [
        ...[`notifier.${each}`, 'alice', 'ops', 'done'],
      ]),
    )
    assert.doesNotMatch(JSON.stringify(found), new RegExp(`${TOKEN}|sealed:`))
    assert.deepEqual(JSON.parse(found[0]?.request ?? ''), {
      kind: 'webhook',
      settings: { url: '(secret)', headers: { 'X-Token': '(secret)' } },
    })
  })

  it('is audited when it fails too, with the reason of the far side', async (t) => {
    const { admin, rows } = await adminOn(t)
    const { url } = await webhookReceiver(t, [answer(404, 'no_service')])
    await admin.create({ name: 'ops', kind: 'webhook', settings: { url, preset: 'slack' } })
    await assert.rejects(admin.test('ops'), { code: 'NOTIFIER_REFUSED' })
    const [, test] = await rows()
    assert.deepEqual([test?.status, test?.error_code], ['rejected', 'NOTIFIER_REFUSED'])
    assert.match(test?.error_text ?? '', /404 no_service/)
  })

  it('can be a test before the notifier is enabled, which says that it is one', async (t) => {
    const { admin } = await adminOn(t)
    const { url, requests } = await webhookReceiver(t, [answer(200)])
    await admin.create({ name: 'ops', kind: 'webhook', settings: { url }, enabled: false })
    assert.deepEqual(await admin.test('ops'), [])
    const { type, data } = JSON.parse(requests[0]?.body ?? '')
    assert.deepEqual([type, data.policy], ['alert.test', 'ops'])
  })
})

async function adminOn(t: TestContext) {
  const database = await migratedDatabase(t)
  const secrets = createSecrets(() => KEY)
  const store = createAdapterStore(database, registryOf(), secrets)
  const rows = () =>
    database.query<
      Record<
        'operation' | 'actor' | 'destination' | 'status' | 'request' | 'error_code' | 'error_text',
        string
      >
    >('SELECT * FROM sys_audit_log ORDER BY id')
  return { admin: createNotifierAdmin({ database, secrets, store, log: silentLog, actor: 'alice' }), rows }
}

const KEY = randomBytes(32)
