import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'
import { RelayError } from '../core/errors.js'

type Scalar = string | number | boolean

/** What a property by the name of a broker's Java client stands for. */
export interface HonouredProperty {
  /** Path of the setting it stands for. */
  path: string
  /** The setting's value for each value the property may have; absent: the same. */
  values?: Readonly<Record<string, Scalar>>
}

/** Properties that cannot be honoured, each with the reason and the cure. */
export type RefusedProperties = Readonly<Record<string, string>>

/** The properties of one of a broker's Java clients. */
export interface KnownProperties {
  honoured: Readonly<Record<string, HonouredProperty>>
  refused: RefusedProperties
}

/** What the settings of a kind of adapter are read by. */
interface SettingsForm<Schema extends TObject> extends KnownProperties {
  /** Such as `a Kafka adapter`. */
  of: string
  schema: Schema
  /** Groups of settings that have `properties` of their own, by their names; paths include these. */
  groups?: Readonly<Record<string, KnownProperties>>
}

/** The error of settings that cannot be used. */
export function settingsInvalid(message: string, cause?: unknown): RelayError {
  return new RelayError('SETTINGS_INVALID', message, cause === undefined ? {} : { cause })
}

/**
 * Settings as the schema wants them: what `properties` add put in its place, texts out of an `@env(NAME)` turned into
 * numbers and switches, defaults filled in.
 * @returns `named`: what was given, by whichever names, before that.
 * @throws RelayError SETTINGS_INVALID naming the setting or property at fault
 */
export function readSettings<Schema extends TObject>(
  given: Record<string, unknown>,
  form: SettingsForm<Schema>,
): { settings: Static<Schema>; named: Record<string, unknown> } {
  const { named, origins } = withProperties(given, form)
  return { settings: settingsBy(form, named, origins), named }
}

/**
 * As `readSettings`, for what knows no `properties`.
 * @param origins for each setting that was given by another name, that name.
 * @throws RelayError SETTINGS_INVALID naming the setting at fault
 */
export function settingsBy<Schema extends TObject>(
  form: Pick<SettingsForm<Schema>, 'of' | 'schema'>,
  given: Record<string, unknown>,
  origins: ReadonlyMap<string, string> = new Map(),
): Static<Schema> {
  const settings = Value.Default(form.schema, Value.Convert(form.schema, Value.Clone(given)))
  if (Value.Check(form.schema, settings)) return settings
  throw schemaViolation(settings, form, origins)
}

/**
 * Settings with what `properties` add to them. A setting given by its own name wins over the property that stands for
 * it, whose value then does not matter.
 * @returns `origins`: for each setting that came from a property, the name of that.
 */
function withProperties(given: Record<string, unknown>, form: SettingsForm<TObject>) {
  const named = structuredClone(given)
  const origins = new Map<string, string>()
  addProperties('properties', given.properties, form, named, origins)
  for (const [name, known] of Object.entries(form.groups ?? {})) {
    const group = given[name]
    // A group that is no object is refused later, by its own name.
    if (isRecord(group)) addProperties(`${name}.properties`, group.properties, known, named, origins)
  }
  return { named, origins }
}

function addProperties(
  place: string,
  properties: unknown,
  known: KnownProperties,
  named: Record<string, unknown>,
  origins: Map<string, string>,
): void {
  if (properties === undefined) return
  if (!isRecord(properties)) {
    throw settingsInvalid(
      `${place} is no object: give it as {"${Object.keys(known.honoured)[0]}": …} with the names of properties`,
    )
  }
  for (const [name, value] of Object.entries(properties)) {
    const property = `${place}.${name}`
    const { path, values } = honoured(property, name, known)
    const [first = '', second] = path.split('.')
    if (!isScalar(value)) throw settingsInvalid(`${property} is no text, number or boolean: give it one`)
    const translated = values ? translate(property, value, values) : value
    const group = named[first]
    if (second === undefined) {
      if (group !== undefined) continue
      named[first] = translated
    } else {
      // A group that is no object is refused later, by its own name.
      if (group !== undefined && (!isRecord(group) || group[second] !== undefined)) continue
      named[first] = { ...group, [second]: translated }
    }
    origins.set(path, property)
  }
}

function honoured(property: string, name: string, known: KnownProperties): HonouredProperty {
  const found = known.honoured[name]
  if (found) return found
  const reason = known.refused[name]
  throw settingsInvalid(
    reason === undefined
      ? `${property} is not known or has no effect here: remove it; those that have one are ${Object.keys(known.honoured).join(', ')}`
      : `${property} cannot be honoured: ${reason}`,
  )
}

function translate(property: string, value: Scalar, values: Readonly<Record<string, Scalar>>): Scalar {
  const wanted = String(value).toLowerCase()
  const found = Object.entries(values).find(([known]) => known.toLowerCase() === wanted)
  if (found) return found[1]
  throw settingsInvalid(
    `${property} ${JSON.stringify(value)} is not known: use ${Object.keys(values).join(', ')}`,
  )
}

function schemaViolation(
  settings: unknown,
  { of, schema }: Pick<SettingsForm<TObject>, 'of' | 'schema'>,
  origins: ReadonlyMap<string, string>,
): RelayError {
  const [error] = Value.Errors(schema, settings)
  if (!error) return settingsInvalid('settings are invalid')
  const path = error.instancePath.slice(1).replaceAll('/', '.') || 'settings'
  const origin = origins.get(path)
  const field = origin === undefined ? path : `${path} (${origin})`
  if (error.keyword === 'boolean') {
    return settingsInvalid(`${field} is not a setting of ${of}: remove it or correct its name`)
  }
  const value = Value.Pointer.Get(settings, error.instancePath)
  // A text may be a secret in the wrong place; one that had to be chosen from a list is none.
  const isShown = error.keyword === 'enum' || typeof value === 'number' || typeof value === 'boolean'
  const params = JSON.stringify(error.params)
  return settingsInvalid(
    `${field}${isShown ? ` ${JSON.stringify(value)}` : ''} ${error.message}${params === '{}' ? '' : `: ${params}`}`,
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
