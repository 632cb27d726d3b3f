import { RelayError } from '../core/errors.js'
import { type EnvLookup, envNamesIn, mapStrings, resolveEnv } from './resolve-env.js'
import { isSealed, type Secrets } from './secrets.js'

/** What has settings that are kept in Postgres. */
export interface SettingsOwner {
  kind: 'adapter' | 'notifier'
  id: string
  name: string
}

/** A text that is one reference to a variable and nothing else: no secret, even in the place of one. */
const REFERENCE = /^@env\([^)]*\)$/

/**
 * Settings as they are used: secrets opened, every `@env(...)` replaced.
 * @throws RelayError ENV_UNKNOWN, SETTINGS_INVALID, MASTER_KEY_MISSING
 */
export function resolveSettings(
  settings: Record<string, unknown>,
  owner: SettingsOwner,
  lookup: EnvLookup,
  secrets: Secrets,
): Record<string, unknown> {
  return mapSettings(settings, (text, path) => {
    const open = isSealed(text) ? secrets.open(text, purposeOf(owner, path)) : text
    return resolveEnv(open, lookup, `setting ${path} of ${owner.kind} "${owner.name}"`)
  })
}

/**
 * Settings as they are stored: the strings at `secretPaths` sealed. A text that only refers to a variable is no
 * secret and stays readable.
 * @param earlier settings stored for the same owner, whose sealed texts are taken over as they are.
 * @throws RelayError SETTINGS_INVALID for other text that looks sealed, which could not be told apart later, and for a
 * secret that is no text
 */
export function sealSettings(
  settings: Record<string, unknown>,
  secretPaths: ReadonlySet<string>,
  owner: Pick<SettingsOwner, 'kind' | 'id'>,
  secrets: Secrets,
  earlier: Record<string, unknown> = {},
): Record<string, unknown> {
  for (const path of otherLeaves(settings)) {
    if (!isSecretPath(path, secretPaths)) continue
    throw new RelayError(
      'SETTINGS_INVALID',
      `setting ${path} is no text: a secret must be one, so put it in quotes`,
    )
  }
  const before = textsIn(earlier)
  return mapSettings(settings, (text, path) => {
    if (isSecretPath(path, secretPaths)) {
      if (isReference(text) || (isSealed(text) && before.get(path) === text)) return text
      return secrets.seal(text, purposeOf(owner, path))
    }
    if (isSealed(text))
      throw new RelayError(
        'SETTINGS_INVALID',
        `setting ${path} starts like a sealed secret: change its beginning`,
      )
    return text
  })
}

/**
 * Settings that replace stored ones, with the sealed text of each secret that stays as it is: because it is given again,
 * or because `SECRET` stands in its place.
 * @param stored settings of the same owner; none: it is new.
 * @throws RelayError SETTINGS_INVALID for `SECRET` where there is none to keep; MASTER_KEY_MISSING
 */
export function withKeptSecrets(
  settings: Record<string, unknown>,
  stored: Record<string, unknown>,
  secretPaths: ReadonlySet<string>,
  owner: Pick<SettingsOwner, 'kind' | 'id'>,
  secrets: Secrets,
): Record<string, unknown> {
  const kept = textsIn(stored)
  return mapSettings(settings, (text, path) => {
    if (!isSecretPath(path, secretPaths) || isReference(text)) return text
    const before = kept.get(path)
    if (text === SECRET) {
      if (before !== undefined) return before
      throw new RelayError(
        'SETTINGS_INVALID',
        `${path} is ${SECRET}, which keeps the secret there is, and there is none: give it, best as @env(NAME) of a secret variable`,
      )
    }
    const isSame =
      before !== undefined && isSealed(before) && secrets.open(before, purposeOf(owner, path)) === text
    return isSame ? before : text
  })
}

/** Shown in place of what is secret. */
export const SECRET = '(secret)'

/**
 * Settings as people may see them: secrets hidden, references to variables not. What the schema does not know is hidden
 * too: it may be a secret under a misspelt name.
 */
export function publicSettings(settings: Record<string, unknown>, schema: unknown): Record<string, unknown> {
  const secretPaths = secretPathsOf(schema)
  return mapSettings(settings, (text, path) => {
    const isHidden = isSecretPath(path, secretPaths) || !isKnownPath(path, schema)
    return isHidden && !isReference(text) ? SECRET : text
  })
}

/** Whether a text is one reference to a variable and nothing else. */
export function isReference(text: string): boolean {
  return REFERENCE.test(text)
}

function isKnownPath(path: string, schema: unknown): boolean {
  if (schema === null || typeof schema !== 'object') return true
  if (!('properties' in schema) || schema.properties === null || typeof schema.properties !== 'object') {
    return true
  }
  return Object.entries(schema.properties).some(
    ([name, child]) =>
      path === name ||
      (path.startsWith(`${name}.`) && isKnownPath(path.slice(name.length + 1), child)) ||
      path.startsWith(`${name}[`),
  )
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

/** Of a map that is secret, such as headers, each value is. */
export function isSecretPath(path: string, secretPaths: ReadonlySet<string>): boolean {
  return secretPaths.has(path) || [...secretPaths].some((each) => path.startsWith(`${each}.`))
}

/** Names of the environment variables that settings refer to; in secrets too, as far as they can be opened. */
export function variablesOf(
  settings: Record<string, unknown>,
  owner: Pick<SettingsOwner, 'kind' | 'id'>,
  secrets: Secrets,
): Set<string> {
  const names = new Set<string>()
  mapSettings(settings, (text, path) => {
    for (const name of envNamesIn(opened(text, purposeOf(owner, path), secrets))) names.add(name)
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

function purposeOf({ kind, id }: Pick<SettingsOwner, 'kind' | 'id'>, path: string): string {
  return `${kind}:${id}:${path}`
}

/** Paths of numbers and switches. */
function otherLeaves(value: unknown, path = ''): string[] {
  if (value === null || typeof value !== 'object') return typeof value === 'string' ? [] : [path]
  return Object.entries(value).flatMap(([name, inner]) => otherLeaves(inner, path ? `${path}.${name}` : name))
}

/** By their paths. */
function textsIn(settings: Record<string, unknown>): Map<string, string> {
  const texts = new Map<string, string>()
  mapSettings(settings, (text, path) => {
    texts.set(path, text)
    return text
  })
  return texts
}

function mapSettings(
  settings: Record<string, unknown>,
  change: (text: string, path: string) => string,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name, mapStrings(value, change, name)]),
  )
}
