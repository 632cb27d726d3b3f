import { type TObject, Type } from 'typebox'
import type { RegisteredDriver } from '../brokers/registry.js'
import type { Adapter } from './adapter.js'
import { type EnvironmentVariable, resolveEnv } from './resolve-env.js'
import type { Secrets } from './secrets.js'
import { serializationSettingsSchema } from './serialization/settings.js'
import { resolveSettings } from './stored-settings.js'

export interface ResolvedSettings {
  address: string
  /** The driver's own. */
  settings: Record<string, unknown>
  /** Those of src/adapters/serialization. */
  serialization: Record<string, unknown>
}

/** Looks up environment variables, opening a secret one only when it is used. */
export function variableLookup(
  variables: readonly EnvironmentVariable[],
  secrets: Secrets,
): (name: string) => string | undefined {
  const byName = new Map(variables.map((variable) => [variable.name, variable]))
  return (name) => {
    const variable = byName.get(name)
    return variable?.secret ? secrets.open(variable.value, envPurpose(name)) : variable?.value
  }
}

/**
 * Address and settings of an adapter as its driver and its serializers need them: secrets opened, every `@env(...)`
 * replaced.
 * @throws RelayError ENV_UNKNOWN, SETTINGS_INVALID, MASTER_KEY_MISSING
 */
export function resolveAdapter(
  adapter: Pick<Adapter, 'id' | 'name' | 'address' | 'settings'>,
  lookup: (name: string) => string | undefined,
  secrets: Secrets,
): ResolvedSettings {
  const address = resolveEnv(adapter.address, lookup, `address of adapter "${adapter.name}"`, true)
  const { id, name } = adapter
  const all = resolveSettings(adapter.settings, { kind: 'adapter', id, name }, lookup, secrets)
  const settings: Record<string, unknown> = {}
  const serialization: Record<string, unknown> = {}
  for (const [setting, value] of Object.entries(all)) {
    const part = setting in serializationSettingsSchema.properties ? serialization : settings
    part[setting] = value
  }
  return { address, settings, serialization }
}

/** All settings an adapter of a driver may have: the driver's, and those of its serialization. */
export function adapterSettingsSchema(driver: Pick<RegisteredDriver, 'settings'>): TObject {
  const properties = { ...driver.settings.properties, ...serializationSettingsSchema.properties }
  return Type.Object(properties, { additionalProperties: false })
}

export function envPurpose(name: string): string {
  return `env:${name}`
}
