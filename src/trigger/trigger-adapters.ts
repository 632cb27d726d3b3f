import { resolveAdapter, variableLookup } from '../adapters/resolve-adapter.js'
import type { Secrets } from '../adapters/secrets.js'
import type { Serialization } from '../adapters/serialization/serializer.js'
import type { AdapterStore } from '../adapters/store.js'
import type { AdapterKind } from '../brokers/broker.js'
import { type DriverRegistry, driverOf } from '../brokers/registry.js'
import type { MessageOrder, Source, SourceLimits } from '../brokers/subscription.js'
import type { Log } from '../core/log.js'

/** What is to be known of an adapter that a trigger refers to; nothing is connected for it. */
export interface TriggerAdapter {
  id: string
  name: string
  kind: AdapterKind
  /** Messages can be filtered by tag or property. */
  filters: boolean
  /** Topics can be found by a pattern. */
  listsTopics: boolean
  /** The offsets of a group can be moved. */
  movesGroups: boolean
  /** Orders that need nothing of the servers. */
  orders: readonly MessageOrder[]
  /** What `value` is in expressions. */
  valueSerialization: Serialization
  /** @throws RelayError naming what this broker, or its protocol, cannot do */
  checkSource(source: Source): SourceLimits | undefined
}

/** By id; undefined: there is none. @throws RelayError ENV_UNKNOWN, SETTINGS_INVALID, MASTER_KEY_MISSING */
export type TriggerAdapters = (id: string) => TriggerAdapter | undefined

/** Those there are now. Each is looked into only when it is asked for: others may be broken. */
export async function loadTriggerAdapters(from: {
  store: Pick<AdapterStore, 'adapters' | 'variables'>
  registry: DriverRegistry
  secrets: Secrets
  log: Log
}): Promise<TriggerAdapters> {
  const { store, registry, secrets, log } = from
  const [adapters, variables] = await Promise.all([store.adapters(), store.variables()])
  const byId = new Map(adapters.map((adapter) => [adapter.id, adapter]))
  const lookup = variableLookup(variables, secrets)
  return (id) => {
    const adapter = byId.get(id)
    if (!adapter) return undefined
    const { name, kind, valueSerialization } = adapter
    const driver = driverOf(registry, kind)
    const { address, settings } = resolveAdapter(adapter, lookup, secrets)
    const operator = driver.operate(address, settings, { adapter: name, log })
    return {
      ...{ id, name, kind, valueSerialization },
      filters: driver.inputs.includes('tag'),
      listsTopics: operator.listTopics !== undefined,
      movesGroups: operator.moveGroup !== undefined,
      orders: driver.keptOrders(address, settings),
      checkSource: (source) => driver.checkSource(address, settings, source),
    }
  }
}
