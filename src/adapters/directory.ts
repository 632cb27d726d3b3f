import type { Connections, LiveConnection } from '../brokers/connections.js'
import { settingsHash } from '../brokers/connections.js'
import type { BrokerOperator } from '../brokers/operator.js'
import { type DriverRegistry, driverOf, type RegisteredDriver } from '../brokers/registry.js'
import type { MessageHandler, Source, Subscription } from '../brokers/subscription.js'
import { Coalesced } from '../core/coalesced.js'
import { messageOf, RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { type Listening, listen } from '../db/listen.js'
import type { Adapter } from './adapter.js'
import { type ResolvedSettings, resolveAdapter, variableLookup } from './resolve-adapter.js'
import { resolveEnv } from './resolve-env.js'
import type { Secrets } from './secrets.js'
import type { Serializers } from './serialization/serializer.js'
import { createSerializers } from './serialization/serializers.js'
import { isSimple } from './serialization/simple.js'
import type { AdapterStore } from './store.js'

const RELOAD_EVERY_MS = 30_000
/** Least time between two reloads caused by names that are not known, so that a wrong diagram cannot flood Postgres. */
const MISS_RELOAD_MS = 500

/** A broker as those see it who consume through an adapter. */
export interface AdapterConsumer {
  /** Changes with the settings of the adapter, those of its variables included. */
  readonly hash: string
  /** See `BrokerDriver.subscribe`. */
  subscribe(source: Source, handle: MessageHandler): Promise<Subscription>
  /** To be closed by who asks. */
  operate(): BrokerOperator
}

/** All adapters and variables of one moment. */
interface Snapshot {
  byReference: Map<string, Adapter>
  lookup: (name: string) => string | undefined
  resolved: Map<string, HashedSettings>
  serializers: Map<string, Serializers>
}

/** With the hashes that tell connections and serializers apart, worked out once and not per job. */
type HashedSettings = ResolvedSettings & { hash: string; serializationHash: string }

export interface DirectoryOptions {
  store: AdapterStore
  registry: DriverRegistry
  connections: Connections
  secrets: Secrets
  /** Where modules of serialization `custom` may lie; undefined: nowhere. */
  modulesFolder: string | undefined
  databaseUrl: string
  log: Log
}

/**
 * The adapters in memory, as jobs need them: looked up without a round trip, refreshed when Postgres tells of a
 * change, on every reconnect, and every 30 s.
 */
export class AdapterDirectory {
  readonly #options: DirectoryOptions
  #snapshot: Snapshot = snapshotOf(new Map(), () => undefined)
  /** By hash of their settings: what they know of schemas outlives a snapshot. */
  #serializers = new Map<string, Serializers>()
  readonly #listeners: (() => void)[] = []
  #listening: Listening | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #loading = new Coalesced(() => this.#load())
  #lastMissReload = Number.NEGATIVE_INFINITY

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  /** Loads everything and begins to listen for changes. */
  async start(): Promise<void> {
    await this.reload()
    const refresh = () => void this.reload().catch((error) => this.#warn(error))
    this.#listening = listen(this.#options.databaseUrl, 'bpmn_relay_change', refresh, this.#options.log)
    this.#timer = setInterval(refresh, RELOAD_EVERY_MS)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#listening?.close()
    await this.#loading.pending?.catch(() => undefined)
  }

  /** As `named`; undefined: it has to be looked up, if there is one at all. */
  known(reference: string): Adapter | undefined {
    const { byReference, lookup } = this.#snapshot
    return byReference.get(
      reference.includes('@') ? resolveEnv(reference, lookup, 'adapterId', true) : reference,
    )
  }

  /** The adapter of an id, name or `@env(...)` of either, without its connection. @throws RelayError ADAPTER_UNKNOWN */
  async named(reference: string): Promise<Adapter> {
    const adapter = this.known(reference) ?? (await this.#reloadAndFind(reference))
    if (adapter) return adapter
    throw new RelayError(
      'ADAPTER_UNKNOWN',
      `adapterId ${JSON.stringify(reference)} names no adapter: \`bpmn-relay adapter list\` shows those there are`,
    )
  }

  /** As `named`, of the kind that a task needs. @throws RelayError ADAPTER_WRONG_KIND, too */
  async adapter(reference: string, driver: RegisteredDriver): Promise<Adapter> {
    const adapter = await this.named(reference)
    if (adapter.kind !== driver.kind) {
      throw new RelayError(
        'ADAPTER_WRONG_KIND',
        `adapterId "${reference}" is an adapter of kind ${adapter.kind}, but a task "${driver.taskType}" needs one of kind ${driver.kind}`,
      )
    }
    return adapter
  }

  /**
   * The live connection of an adapter.
   * @throws RelayError ADAPTER_DISABLED, ENV_UNKNOWN, SETTINGS_INVALID, MASTER_KEY_MISSING
   */
  connection(adapter: Adapter): LiveConnection {
    assertEnabled(adapter)
    const { registry, connections } = this.#options
    const { address, settings, hash } = this.#resolve(adapter)
    return connections.get(hash, adapter.name, (context) =>
      driverOf(registry, adapter.kind).connect(address, settings, context),
    )
  }

  /**
   * What consumes through an adapter; it shares no connection with those who publish.
   * @throws RelayError as `connection` does
   */
  consumer(adapter: Adapter): AdapterConsumer {
    assertEnabled(adapter)
    const { registry, log } = this.#options
    const { address, settings, hash } = this.#resolve(adapter)
    const driver = driverOf(registry, adapter.kind)
    const context = { adapter: adapter.name, log: log.child({ adapter: adapter.name }) }
    return {
      hash,
      subscribe: (source, handle) => driver.subscribe(address, settings, source, handle, context),
      operate: () => driver.operate(address, settings, context),
    }
  }

  /** Calls this whenever everything was loaded again. */
  onReload(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /**
   * How an adapter's keys and values become bytes.
   * @throws RelayError ENV_UNKNOWN, SETTINGS_INVALID, MASTER_KEY_MISSING
   */
  serializers(adapter: Adapter): Serializers {
    const known = this.#snapshot.serializers.get(adapter.id)
    if (known) return known
    const serializers = this.#serializersOf(adapter)
    this.#snapshot.serializers.set(adapter.id, serializers)
    return serializers
  }

  /** Loads everything again; calls made while one runs share the next. */
  reload(): Promise<void> {
    return this.#loading.run()
  }

  async #load(): Promise<void> {
    const { store, secrets, connections } = this.#options
    const [adapters, variables] = await Promise.all([store.adapters(), store.variables()])
    const byReference = new Map<string, Adapter>()
    for (const adapter of adapters) byReference.set(adapter.name, adapter).set(adapter.id, adapter)
    this.#snapshot = snapshotOf(byReference, variableLookup(variables, secrets))
    this.#retain(adapters, connections)
    for (const listener of this.#listeners) listener()
  }

  #retain(adapters: Adapter[], connections: Connections): void {
    const inUse = new Map<string, string>()
    const serializers = new Map<string, Serializers>()
    for (const adapter of adapters) {
      if (!adapter.enabled) continue
      try {
        const { hash, serializationHash } = this.#resolve(adapter)
        inUse.set(adapter.name, hash)
        const known = this.#serializers.get(serializationHash)
        if (known) serializers.set(serializationHash, known)
      } catch (error) {
        this.#options.log.warn('an adapter cannot be used', {
          adapter: adapter.name,
          reason: messageOf(error),
        })
      }
    }
    connections.retain(inUse)
    this.#serializers = serializers
  }

  #serializersOf(adapter: Adapter): Serializers {
    const { name, keySerialization: key, valueSerialization: value } = adapter
    const options = {
      adapter: name,
      serializations: { key, value },
      modulesFolder: this.#options.modulesFolder,
    }
    // Without a look at the settings: a job published earlier is completed even if they cannot be resolved any more.
    if (isSimple(key) && isSimple(value)) return createSerializers({ ...options, settings: {} })
    const { serialization, serializationHash } = this.#resolve(adapter)
    const known = this.#serializers.get(serializationHash)
    if (known) return known
    const serializers = createSerializers({ ...options, settings: serialization })
    this.#serializers.set(serializationHash, serializers)
    return serializers
  }

  // A job may be quicker than the notice of the adapter it needs.
  async #reloadAndFind(reference: string): Promise<Adapter | undefined> {
    const now = performance.now()
    const isDue = now - this.#lastMissReload >= MISS_RELOAD_MS
    if (isDue) this.#lastMissReload = now
    try {
      await (isDue ? this.reload() : this.#loading.pending)
    } catch (cause) {
      throw new RelayError(
        'DATABASE_AWAY',
        `adapter "${reference}" could not be looked up: ${messageOf(cause)}`,
        { cause },
      )
    }
    return this.known(reference)
  }

  #resolve(adapter: Adapter): HashedSettings {
    const { resolved, lookup } = this.#snapshot
    const known = resolved.get(adapter.id)
    if (known) return known
    const { name, kind, keySerialization, valueSerialization } = adapter
    const parts = resolveAdapter(adapter, lookup, this.#options.secrets)
    const hashed = {
      ...parts,
      hash: settingsHash(kind, parts.address, parts.settings),
      serializationHash: settingsHash(`${keySerialization}/${valueSerialization}`, name, parts.serialization),
    }
    resolved.set(adapter.id, hashed)
    return hashed
  }

  #warn(error: unknown): void {
    this.#options.log.warn('adapters could not be loaded again; the last known ones stay in use', {
      reason: messageOf(error),
    })
  }
}

function assertEnabled({ name, enabled }: Adapter): void {
  if (enabled) return
  throw new RelayError(
    'ADAPTER_DISABLED',
    `adapter "${name}" is disabled for maintenance; what needs it waits`,
  )
}

function snapshotOf(byReference: Snapshot['byReference'], lookup: Snapshot['lookup']): Snapshot {
  return { byReference, lookup, resolved: new Map(), serializers: new Map() }
}
