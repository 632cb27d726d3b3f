import { type TObject, Type } from 'typebox'
import type { RegisteredDriver } from '../brokers/registry.js'
import { RelayError } from '../core/errors.js'
import type { Adapter } from './adapter.js'
import { type EnvironmentVariable, envNamesIn, mapStrings, resolveEnv } from './resolve-env.js'
import { isSealed, type Secrets } from './secrets.js'
import { serializationSettingsSchema } from './serialization/settings.js'

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
  const all = mapSettings(adapter.settings, (text, path) => {
    const open = isSealed(text) ? secrets.open(text, settingPurpose(adapter.id, path)) : text
    return resolveEnv(open, lookup, `setting ${path} of adapter "${adapter.name}"`)
  })
  const settings: Record<string, unknown> = {}
  const serialization: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(all)) {
    const part = name in serializationSettingsSchema.properties ? serialization : settings
    part[name] = value
  }
  return { address, settings, serialization }
}

/** All settings an adapter of a driver may have: the driver's, and those of its serialization. */
export function adapterSettingsSchema(driver: Pick<RegisteredDriver, 'settings'>): TObject {
  const properties = { ...driver.settings.properties, ...serializationSettingsSchema.properties }
  return Type.Object(properties, { additionalProperties: false })
}

/**
 * Settings as they are stored: the strings at `secretPaths` sealed. A text that only refers to a variable is no
 * secret and stays readable.
 * @throws RelayError SETTINGS_INVALID for other text that looks sealed; it could not be told apart later.
 */
export function sealSettings(
  settings: Record<string, unknown>,
  secretPaths: ReadonlySet<string>,
  adapterId: string,
  secrets: Secrets,
): Record<string, unknown> {
  return mapSettings(settings, (text, path) => {
    if (secretPaths.has(path)) {
      return /^@env\([^)]*\)$/.test(text) ? text : secrets.seal(text, settingPurpose(adapterId, path))
    }
    if (isSealed(text))
      throw new RelayError(
        'SETTINGS_INVALID',
        `setting ${path} starts like a sealed secret: change its beginning`,
      )
    return text
  })
}

/** Paths, such as `sasl.password`, of the settings that a JSON schema marks with `secret: true`. */
export function secretPathsOf(schema: unknown, path = ''): Set<string> {
  const found = new Set<string>()
  if (schema === null || typeof schema !== 'object') return found
  if ('secret' in schema && schema.secret === true) found.add(path)
  if ('properties' in schema && schema.properties !== null && typeof schema.properties === 'object') {
    for (const [name, child] of Object.entries(schema.properties)) {
      for (const inner of secretPathsOf(child, path ? `${path}.${name}` : name)) found.add(inner)
    }
  }
  return found
}

/** Names of the environment variables an adapter refers to; in its secrets too, as far as they can be opened. */
export function variablesOf(
  adapter: Pick<Adapter, 'id' | 'address' | 'settings'>,
  secrets: Secrets,
): Set<string> {
  const names = new Set(envNamesIn(adapter.address))
  mapSettings(adapter.settings, (text, path) => {
    for (const name of envNamesIn(opened(text, settingPurpose(adapter.id, path), secrets))) names.add(name)
    return text
  })
  return names
}

function opened(text: string, purpose: string, secrets: Secrets): string {
  if (!isSealed(text)) return text
  try {
    return secrets.open(text, purpose)
  } catch {
    return ''
  }
}

export function envPurpose(name: string): string {
  return `env:${name}`
}

function settingPurpose(adapterId: string, path: string): string {
  return `adapter:${adapterId}:${path}`
}

function mapSettings(
  settings: Record<string, unknown>,
  change: (text: string, path: string) => string,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name, mapStrings(value, change, name)]),
  )
}
