import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { AdapterDirectory } from '../../../src/adapters/directory.js'
import { createSecrets } from '../../../src/adapters/secrets.js'
import { createAdapterStore } from '../../../src/adapters/store.js'
import { Connections } from '../../../src/brokers/connections.js'
import { registryOf } from '../../../src/brokers/registry.js'
import { silentLog } from '../../../src/core/log.js'
import { type Database, openDatabase } from '../../../src/db/database.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { recordingDriver } from '../../helpers/recording-driver.js'
import { waitFor } from '../../helpers/wait-for.js'

/** Well below the 30 s after which everything is loaded anyway. */
const AT_ONCE_MS = 10_000
const secrets = createSecrets(() => key)
const key = randomBytes(32)

describe('the directory of adapters', () => {
  it('finds an adapter by name, by id and by the variable that holds either', async (t) => {
    const { directory, driver, store } = await started(t)
    const { id } = await store.createAdapter({ name: 'orders', kind: 'memory', address: 'a:1' })
    await store.setVariable({ name: 'WHICH', value: 'orders', secret: false, description: '' })
    await waitFor('the variable', async () => isFound(directory.adapter('@env(WHICH)', driver)), AT_ONCE_MS)
    for (const reference of ['orders', id]) assert.equal((await directory.adapter(reference, driver)).id, id)
  })

  it('finds a new adapter at once, even before the notice of it', async (t) => {
    const { directory, driver, store } = await started(t)
    await store.createAdapter({ name: 'new', kind: 'memory', address: 'a:1' })
    assert.equal((await directory.adapter('new', driver)).name, 'new')
  })

  it('refuses what it does not know, naming it and the cure', async (t) => {
    const { directory, driver } = await started(t)
    await assert.rejects(directory.adapter('ordres', driver), {
      code: 'ADAPTER_UNKNOWN',
      message: /"ordres".*bpmn-relay adapter list/,
    })
  })

  it('refuses an adapter of the other kind, naming both', async (t) => {
    const { directory, store, otherDriver } = await started(t)
    await store.createAdapter({ name: 'orders', kind: 'memory', address: 'a:1' })
    await assert.rejects(directory.adapter('orders', otherDriver), {
      code: 'ADAPTER_WRONG_KIND',
      message: /kind memory.*kind other/,
    })
  })

  it('gives no connection of a disabled adapter', async (t) => {
    const { directory, driver, store } = await started(t)
    await store.createAdapter({ name: 'off', kind: 'memory', address: 'a:1', enabled: false })
    const adapter = await directory.adapter('off', driver)
    assert.throws(() => directory.connection(adapter), { code: 'ADAPTER_DISABLED' })
  })
})

describe('a connection', () => {
  it('is kept while nothing it is made of changes', async (t) => {
    const { directory, driver, store, connections } = await started(t)
    await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1' })
    const connection = directory.connection(await directory.adapter('a', driver))
    await store.createAdapter({ name: 'b', kind: 'memory', address: 'b:1' })
    await store.setVariable({ name: 'UNUSED', value: 'x', secret: false, description: '' })
    await directory.reload()
    assert.equal(directory.connection(await directory.adapter('a', driver)), connection)
    assert.equal(connections.length, 1)
    assert.equal(connections[0]?.closed, false)
  })

  it('is replaced at once when a variable it uses has changed, and the old one is closed', async (t) => {
    const { directory, driver, store, connections } = await started(t)
    await store.setVariable({ name: 'HOST', value: 'old', secret: false, description: '' })
    await store.setVariable({ name: 'PASS', value: 'hunter2', secret: true, description: '' })
    const settings = { auth: { password: '@env(PASS)' } }
    await store.createAdapter({ name: 'a', kind: 'memory', address: '@env(HOST):1', settings })
    directory.connection(await directory.adapter('a', driver))
    assert.deepEqual(connections[0], {
      address: 'old:1',
      settings: { auth: { password: 'hunter2' } },
      closed: false,
    })

    await store.setVariable({ name: 'HOST', value: 'new', secret: false, description: '' })
    await waitFor('the old connection to be closed', () => connections[0]?.closed, AT_ONCE_MS)
    directory.connection(await directory.adapter('a', driver))
    assert.equal(connections[1]?.address, 'new:1')

    await store.setVariable({ name: 'PASS', value: 'rotated', secret: true, description: '' })
    await waitFor('the second to be closed', () => connections[1]?.closed, AT_ONCE_MS)
    directory.connection(await directory.adapter('a', driver))
    assert.deepEqual(connections[2]?.settings, { auth: { password: 'rotated' } })
  })

  it('is closed when its adapter is deleted', async (t) => {
    const { directory, driver, store, connections } = await started(t)
    await store.createAdapter({ name: 'a', kind: 'memory', address: 'a:1' })
    directory.connection(await directory.adapter('a', driver))
    await store.deleteAdapter('a')
    await waitFor('the connection to be closed', () => connections[0]?.closed, AT_ONCE_MS)
  })
})

describe('changes in Postgres', () => {
  it('are seen after the listening connection was lost, those of the time in between included', async (t) => {
    const { directory, driver, store, database } = await started(t)
    await store.setVariable({ name: 'WHICH', value: 'none', secret: false, description: '' })
    await store.createAdapter({ name: 'orders', kind: 'memory', address: 'a:1' })
    const listener = `SELECT pid FROM pg_stat_activity WHERE application_name = 'bpmn-relay listen'
                      AND datname = current_database() AND query LIKE 'LISTEN%'`
    const [{ pid } = { pid: 0 }] = await waitFor('the listener', async () => {
      const rows = await database.query<{ pid: number }>(listener)
      return rows.length > 0 && rows
    })
    await database.query('SELECT pg_terminate_backend($1)', [pid])
    await store.setVariable({ name: 'WHICH', value: 'orders', secret: false, description: '' })
    await waitFor(
      'the change to be seen',
      () => isFound(directory.adapter('@env(WHICH)', driver)),
      AT_ONCE_MS,
    )
    await waitFor('a new listener', async () =>
      (await database.query(listener)).some((row) => row.pid !== pid),
    )
  })

  it('keep nobody waiting for long when Postgres leaves them unanswered', async (t) => {
    const wire = await silencedWire(t)
    const { directory, driver, store } = await started(t, wire)
    await store.createAdapter({ name: 'known', kind: 'memory', address: 'a:1' })
    await directory.reload()
    wire.silence()
    const startedAt = performance.now()
    await assert.rejects(directory.adapter('unknown', driver), { code: 'DATABASE_AWAY' })
    assert.ok(performance.now() - startedAt < AT_ONCE_MS)
    assert.equal((await directory.adapter('known', driver)).name, 'known')
  })
})

/** Whether a look-up finds something. */
function isFound(lookup: Promise<unknown>): Promise<boolean> {
  return lookup.then(
    () => true,
    () => false,
  )
}

async function started(t: TestContext, wire?: { through(url: string): string }) {
  let directory: AdapterDirectory | undefined
  let near: Database | undefined
  t.after(async () => {
    await directory?.close()
    await near?.close()
  })
  const database = await migratedDatabase(t)
  const { driver, connections } = recordingDriver()
  const { driver: otherDriver } = recordingDriver('other')
  const registry = registryOf(driver, otherDriver)
  const live = new Connections(silentLog)
  const databaseUrl = wire?.through(database.url) ?? database.url
  near = await openDatabase({ url: databaseUrl, poolSize: 4, timeoutMs: 1000 }, silentLog)
  const store = createAdapterStore(near, registry, secrets)
  directory = new AdapterDirectory({
    store,
    registry,
    connections: live,
    secrets,
    databaseUrl,
    modulesFolder: undefined,
    log: silentLog,
  })
  await directory.start()
  return { database, store, directory, driver, otherDriver, connections }
}

/** A way to Postgres that can fall silent: what is sent no longer arrives, and nobody is told. */
async function silencedWire(t: TestContext) {
  const sockets: Socket[] = []
  let target = { host: '', port: 0 }
  let silent = false
  const server = createServer((down) => {
    const up = connect(target)
    sockets.push(down, up)
    for (const [from, to] of [
      [down, up],
      [up, down],
    ] as const) {
      from.on('data', (data) => silent || to.write(data))
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    through(url: string): string {
      const real = new URL(url)
      target = { host: real.hostname, port: Number(real.port) }
      const address = server.address()
      assert.ok(address !== null && typeof address === 'object')
      return Object.assign(real, { port: String(address.port) }).href
    },
    silence() {
      silent = true
    },
  }
}
