import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import type { Adapter } from '../../../src/adapters/adapter.js'
import { createSecrets, masterKeyFrom } from '../../../src/adapters/secrets.js'
import { createAdapterStore } from '../../../src/adapters/store.js'
import { registryOf } from '../../../src/brokers/registry.js'
import type { Database } from '../../../src/db/database.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { recordingDriver } from '../../helpers/recording-driver.js'

const PASSWORD = 'hunter2-plain'

describe('adapters', () => {
  it('are found by name and by id, with the defaults of the glossary', async (t) => {
    const { store } = await storeOn(t)
    const created = await store.createAdapter({ name: '订单 1', kind: 'memory', address: 'a:1' })
    assert.deepEqual(await store.adapter('订单 1'), created)
    assert.deepEqual(await store.adapter(created.id), created)
    const { auditRequests, logResults, slaMonitoring, enabled, keySerialization, valueSerialization } =
      created
    assert.deepEqual([auditRequests, logResults, slaMonitoring, enabled], [true, false, true, true])
    assert.deepEqual([keySerialization, valueSerialization], ['string', 'string'])
    assert.match(created.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  })

  it('are listed by name', async (t) => {
    const { store } = await storeOn(t)
    for (const name of ['b', 'a', 'c']) await store.createAdapter({ name, kind: 'memory', address: 'a:1' })
    assert.deepEqual(
      (await store.adapters()).map(({ name }) => name),
      ['a', 'b', 'c'],
    )
  })

  it('change in what is given, keep the rest and grow a revision older', async (t) => {
    const { store } = await storeOn(t)
    const settings = { user: 'me', auth: { password: PASSWORD } }
    const made = await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1', settings })
    const changed = await store.updateAdapter('a', { address: 'a:2', logResults: true, managed: true })
    const expected = { ...made, address: 'a:2', logResults: true, managed: true, revision: 2 }
    assert.deepEqual(withoutTimes(changed), withoutTimes(expected))
  })

  it('keep the secrets whose sealed texts are given back, and seal new ones', async (t) => {
    const { store, database } = await storeOn(t)
    const auth = { password: PASSWORD }
    const made = await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1', settings: { auth } })
    const kept = await store.updateAdapter('a', { settings: { ...made.settings, user: 'you' } })
    assert.deepEqual(kept.settings.auth, made.settings.auth)
    await store.updateAdapter('a', { settings: { auth: { password: 'another-plain' } } })
    assert.doesNotMatch(await storedText(database), /another-plain|hunter2/)
  })

  it('stay as they are when a change is refused', async (t) => {
    const { store } = await storeOn(t)
    const made = await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1' })
    await assert.rejects(store.updateAdapter('a', { address: '@env(NOWHERE)' }), { code: 'ENV_UNKNOWN' })
    await assert.rejects(store.updateAdapter('b', { address: 'a:2' }), { code: 'NOT_FOUND' })
    assert.deepEqual(await store.adapter('a'), made)
  })

  it('are gone once deleted', async (t) => {
    const { store } = await storeOn(t)
    await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1' })
    assert.equal((await store.deleteAdapter('a')).name, 'a')
    await assert.rejects(store.adapter('a'), { code: 'NOT_FOUND' })
    await assert.rejects(store.deleteAdapter('a'), { code: 'NOT_FOUND' })
  })

  it('have names of their own, also when two are made at the same moment', async (t) => {
    const { store } = await storeOn(t)
    const made = await Promise.allSettled(
      [1, 2].map(() => store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1' })),
    )
    const refused = made.find(({ status }) => status === 'rejected')
    assert.ok(refused?.status === 'rejected')
    assert.equal(refused.reason.code, 'NAME_TAKEN')
    assert.match(refused.reason.message, /"a".*choose another name/)
    assert.equal((await store.adapters()).length, 1)
  })

  const wrong: [what: string, given: Record<string, unknown>, code: string, message: RegExp][] = [
    ['an unknown kind', { kind: 'amqp' }, 'SETTINGS_INVALID', /"amqp".*memory/],
    ['an empty name', { name: '' }, 'SETTINGS_INVALID', /name ""/],
    [
      'a name that looks like an id',
      { name: '018f0000-0000-7000-8000-000000000000' },
      'SETTINGS_INVALID',
      /id/,
    ],
    [
      'an unknown serialization',
      { valueSerialization: 'xml' },
      'SETTINGS_INVALID',
      /"xml".*string, json, bytes/,
    ],
    ['an unknown variable', { address: '@env(NOWHERE)' }, 'ENV_UNKNOWN', /"NOWHERE"/],
    ['a formula that is none', { address: '@evn(X)' }, 'SETTINGS_INVALID', /@evn\(/],
  ]
  for (const [what, given, code, message] of wrong) {
    it(`are refused with ${what}`, async (t) => {
      const { store } = await storeOn(t)
      const input = { name: 'a', kind: 'memory', address: 'a:1', ...given }
      await assert.rejects(store.createAdapter(input), { code, message })
      assert.deepEqual(await store.adapters(), [])
    })
  }
})

describe('secrets', () => {
  it('are nowhere in Postgres as plain text', async (t) => {
    const { store, database } = await storeOn(t)
    await store.setVariable({ name: 'SECRET', value: PASSWORD, secret: true, description: '' })
    await store.createAdapter({
      name: 'a',
      kind: 'memory',
      address: 'a:1',
      settings: { user: 'me', auth: { password: PASSWORD } },
    })
    const rows = await storedText(database)
    assert.ok(!rows.includes(PASSWORD))
    assert.ok(rows.includes('sealed:v1:') && rows.includes('me'))
  })

  it('are refused when they are no text, which alone is sealed', async (t) => {
    const { store } = await storeOn(t)
    const settings = { auth: { password: 123456 } }
    const refused = store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1', settings })
    await assert.rejects(refused, { code: 'SETTINGS_INVALID', message: /auth\.password is no text/ })
  })

  it('stay sealed in what the store returns', async (t) => {
    const { store } = await storeOn(t)
    await store.setVariable({ name: 'SECRET', value: PASSWORD, secret: true, description: '' })
    const settings = { auth: { password: PASSWORD } }
    const created = await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1', settings })
    assert.ok(!JSON.stringify([created, await store.variables()]).includes(PASSWORD))
  })

  it('that only refer to a variable stay readable', async (t) => {
    const { store, database } = await storeOn(t)
    await store.setVariable({ name: 'SECRET', value: PASSWORD, secret: true, description: '' })
    const settings = { auth: { password: '@env(SECRET)' } }
    await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1', settings })
    assert.ok((await storedText(database)).includes('@env(SECRET)'))
  })

  it('are refused without a master key, and nothing is stored', async (t) => {
    const { store, database } = await storeOn(t, () =>
      masterKeyFrom({ configured: undefined, keyFile: undefined }),
    )
    const secret = { name: 'SECRET', value: PASSWORD, secret: true, description: '' }
    await assert.rejects(store.setVariable(secret), { code: 'MASTER_KEY_MISSING' })
    assert.ok(!(await storedText(database)).includes('SECRET'))
    await store.setVariable({ ...secret, name: 'OPEN', secret: false })
  })
})

describe('environment variables', () => {
  it('are made and changed by the same call', async (t) => {
    const { store } = await storeOn(t)
    await store.setVariable({ name: 'HOST', value: 'a', secret: false, description: 'd' })
    await store.setVariable({ name: 'HOST', value: 'b', secret: false, description: 'e' })
    const [variable, ...more] = await store.variables()
    assert.deepEqual([variable?.value, variable?.description, more.length], ['b', 'e', 0])
  })

  it('keep their value when only the rest is given, also when it becomes a secret and back', async (t) => {
    const { store, database } = await storeOn(t)
    const kept = { name: 'A', value: undefined, description: 'd' }
    await store.setVariable({ name: 'A', value: PASSWORD, secret: false, description: '', managed: true })
    await store.setVariable({ ...kept, secret: true })
    assert.ok(!(await storedText(database)).includes(PASSWORD))
    await store.setVariable({ ...kept, secret: false })
    const [variable] = await store.variables()
    assert.deepEqual([variable?.value, variable?.description, variable?.managed], [PASSWORD, 'd', true])
  })

  it('that are new need a value', async (t) => {
    const { store } = await storeOn(t)
    const variable = { name: 'A', value: undefined, secret: false, description: '' }
    await assert.rejects(store.setVariable(variable), { code: 'NOT_FOUND', message: /env set A VALUE/ })
  })

  for (const name of ['', '1A', 'A B', 'A)', 'x'.repeat(201)]) {
    it(`cannot be called ${JSON.stringify(name).slice(0, 10)}`, async (t) => {
      const { store } = await storeOn(t)
      const variable = { name, value: 'a', secret: false, description: '' }
      await assert.rejects(store.setVariable(variable), { code: 'SETTINGS_INVALID' })
    })
  }

  const uses: [where: string, adapter: { address?: string; settings?: Record<string, unknown> }][] = [
    ['an address', { address: 'x-@env(USED):1' }],
    ['a setting', { settings: { user: '@env(USED)' } }],
    ['a secret setting', { settings: { auth: { password: '@env(USED)' } } }],
    ['a part of a secret setting', { settings: { auth: { password: 'prefix-@env(USED)' } } }],
  ]
  for (const [where, given] of uses) {
    it(`are not deleted while ${where} of an adapter uses them, unless by force`, async (t) => {
      const { store } = await storeOn(t)
      await store.setVariable({ name: 'USED', value: 'a', secret: false, description: '' })
      await store.createAdapter({ name: 'user of it', kind: 'memory', address: 'a:1', ...given })
      await assert.rejects(store.deleteVariable('USED', { force: false }), {
        code: 'ENV_IN_USE',
        message: /"user of it"/,
      })
      await store.deleteVariable('USED', { force: true })
      assert.deepEqual(await store.variables(), [])
    })
  }

  it('that do not exist cannot be deleted', async (t) => {
    const { store } = await storeOn(t)
    await assert.rejects(store.deleteVariable('NONE', { force: false }), { code: 'NOT_FOUND' })
  })
})

function withoutTimes(adapter: Adapter): object {
  return { ...adapter, updatedAt: undefined }
}

async function storeOn(t: TestContext, key: () => Buffer = () => randomKey) {
  const database = await migratedDatabase(t)
  const store = createAdapterStore(database, registryOf(recordingDriver().driver), createSecrets(key))
  return { database, store }
}

const randomKey = randomBytes(32)

async function storedText(database: Database): Promise<string> {
  const rows = await database.query(
    'SELECT row_to_json(adapter)::text AS row FROM adapter UNION ALL SELECT row_to_json(environment_variable)::text FROM environment_variable',
  )
  return rows.map(({ row }) => String(row)).join('\n')
}
