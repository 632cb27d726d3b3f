import type { Adapter } from '../adapters/adapter.js'
import { resolveAdapter, variableLookup } from '../adapters/resolve-adapter.js'
import type { Secrets } from '../adapters/secrets.js'
import type { Serializers } from '../adapters/serialization/serializer.js'
import { createSerializers } from '../adapters/serialization/serializers.js'
import type { AdapterStore } from '../adapters/store.js'
import { type AdminAction, recordAdminActions } from '../audit/admin-actions.js'
import type { Capture } from '../audit/capture.js'
import { Connections, type LiveConnection, settingsHash } from '../brokers/connections.js'
import { type BrokerOperator, type Capability, capabilityOf } from '../brokers/operator.js'
import { type DriverRegistry, driverOf, type RegisteredDriver } from '../brokers/registry.js'
import type { Log } from '../core/log.js'
import type { Database } from '../db/database.js'
import { type ActorAndAdapter, audited, type Deed } from './audited.js'

export interface AdminContext {
  database: Database
  registry: DriverRegistry
  secrets: Secrets
  store: AdapterStore
  /** Where modules of serialization `custom` may lie; undefined: nowhere. */
  modulesFolder: string | undefined
  /** What the audit log keeps of messages. */
  capture: Capture
  log: Log
  /** Who acts, for the audit log. */
  actor: string
}

/** One adapter in the hands of an operator, whether it is enabled or not. Connects when first used. */
export interface AdapterAdmin {
  readonly adapter: Adapter
  readonly driver: RegisteredDriver
  readonly capture: Capture
  has(name: Capability): boolean
  /** @throws RelayError NOT_SUPPORTED when the adapter's kind of broker cannot do this. */
  can<Name extends Capability>(name: Name): NonNullable<BrokerOperator[Name]>
  /** Of its own; publishes as those of jobs do. */
  connection(): LiveConnection
  /**
   * Resolves when one more message may be published, however long the rate limit lets it wait.
   * @throws RelayError ADAPTER_OUT_OF_SERVICE
   */
  turn(): Promise<void>
  /** How keys and values become bytes and bytes become them again. @throws RelayError SETTINGS_INVALID */
  serializers(): Serializers
  /** Does `work` and records it, also when it fails. */
  audited<T>(deed: Deed, work: () => Promise<T>): Promise<T>
  /** Records what was done already. */
  record(actions: readonly Omit<AdminAction, keyof ActorAndAdapter>[]): Promise<void>
}

/**
 * Gives an operator an adapter, by name or id, and closes its connections afterwards.
 * @throws RelayError NOT_FOUND, ENV_UNKNOWN, SETTINGS_INVALID, MASTER_KEY_MISSING
 */
export async function withAdapter<T>(
  context: AdminContext,
  idOrName: string,
  use: (admin: AdapterAdmin) => Promise<T>,
): Promise<T> {
  const { database, registry, secrets, store, modulesFolder, capture, actor } = context
  const adapter = await store.adapter(idOrName)
  const driver = driverOf(registry, adapter.kind)
  const lookup = variableLookup(await store.variables(), secrets)
  const { address, settings, serialization } = resolveAdapter(adapter, lookup, secrets)
  const log = context.log.child({ adapter: adapter.name })
  const who: ActorAndAdapter = {
    actor,
    adapterId: adapter.id,
    adapterName: adapter.name,
    adapterKind: adapter.kind,
  }
  let operator: BrokerOperator | undefined
  let serializers: Serializers | undefined
  const connections = new Connections(context.log)
  const hash = settingsHash(adapter.kind, address, settings)

  const operatorOf = () => {
    operator ??= driver.operate(address, settings, { adapter: adapter.name, log })
    return operator
  }
  const record: AdapterAdmin['record'] = (actions) =>
    recordAdminActions(
      database,
      actions.map((action) => ({ ...action, ...who })),
    )
  try {
    return await use({
      adapter,
      driver,
      capture,
      record,
      has: (name) => operatorOf()[name] !== undefined,
      can: (name) => capabilityOf(operatorOf(), name, adapter.kind),
      connection() {
        return connections.get(hash, adapter.name, (ctx) => driver.connect(address, settings, ctx))
      },
      turn: async () => connections.admit(hash, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
      serializers() {
        const { keySerialization: key, valueSerialization: value } = adapter
        serializers ??= createSerializers({
          adapter: adapter.name,
          serializations: { key, value },
          settings: serialization,
          modulesFolder,
        })
        return serializers
      },
      audited: (deed, work) => audited(database, who, deed, work),
    })
  } finally {
    await Promise.all([operator?.close(), connections.close()])
  }
}
