import type { TestContext } from 'node:test'
import type { Adapter, NewAdapter } from '../../src/adapters/adapter.js'
import { createSecrets } from '../../src/adapters/secrets.js'
import { type AdapterStore, createAdapterStore } from '../../src/adapters/store.js'
import { brokerDrivers } from '../../src/brokers/registry.js'
import { silentLog } from '../../src/core/log.js'
import { loadTriggerAdapters, type TriggerAdapters } from '../../src/trigger/trigger-adapters.js'
import { migratedDatabase, type TestDatabase } from './migrated-database.js'

export interface TriggerBase {
  database: TestDatabase
  store: AdapterStore
  /** Adapters as they are now. */
  adapters(): Promise<TriggerAdapters>
  /** Makes one; no broker is asked. Default: of kind kafka. */
  adapter(name: string, given?: Partial<NewAdapter>): Promise<Adapter>
}

/** A database of the test's own in which triggers can be made. */
export async function triggerBase(t: TestContext): Promise<TriggerBase> {
  const database = await migratedDatabase(t)
  const registry = brokerDrivers()
  const secrets = createSecrets(() => Buffer.alloc(32, 7))
  const store = createAdapterStore(database, registry, secrets)
  return {
    database,
    store,
    adapters: () => loadTriggerAdapters({ store, registry, secrets, log: silentLog }),
    adapter: (name, given = {}) =>
      store.createAdapter({ name, kind: 'kafka', address: 'localhost:9092', ...given }),
  }
}
