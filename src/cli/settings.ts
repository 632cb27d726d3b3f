import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { RegisteredDriver } from '../brokers/registry.js'
import { RelayError } from '../core/errors.js'

/** One setting of a kind of adapter, as its JSON schema describes it. */
export interface SettingField {
  /** Such as `sasl.password`. */
  path: string
  type: string
  /** Such as `ms`; undefined for what is not measured. */
  unit: string | undefined
  choices: string[]
  title: string
  text: string
  /** JSON text; undefined when there is none. */
  default: string | undefined
  secret: boolean
  /** Holds values of any names: `path.NAME=value` sets one. */
  isMap: boolean
}

const SchemaNode = Type.Object({
  type: Type.Optional(Type.String()),
  title: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  unit: Type.Optional(Type.String()),
  secret: Type.Optional(Type.Boolean()),
  default: Type.Optional(Type.Unknown()),
  enum: Type.Optional(Type.Array(Type.String())),
  anyOf: Type.Optional(Type.Array(Type.Object({ const: Type.String() }))),
  properties: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  patternProperties: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})

export function settingFields(schema: unknown, prefix = ''): SettingField[] {
  return Object.entries(Value.Parse(SchemaNode, schema).properties ?? {}).flatMap(([name, child]) => {
    const node = Value.Parse(SchemaNode, child)
    const path = prefix + name
    if (node.properties) return settingFields(child, `${path}.`)
    const choices = node.enum ?? node.anyOf?.map((choice) => choice.const) ?? []
    return {
      path,
      type: node.type ?? 'string',
      unit: node.unit,
      choices,
      title: node.title ?? name,
      text: sentences(node.title, node.description),
      default: node.default === undefined ? undefined : JSON.stringify(node.default),
      secret: node.secret ?? false,
      isMap: node.patternProperties !== undefined,
    }
  })
}

/**
 * Settings from texts of the form `path=value`, each value of the type its setting has, on top of `base`.
 * @throws RelayError SETTINGS_INVALID
 */
export function parseSettings(
  pairs: readonly string[],
  driver: Pick<RegisteredDriver, 'kind' | 'settings'>,
  base: Record<string, unknown>,
): Record<string, unknown> {
  const fields = new Map(settingFields(driver.settings).map((field) => [field.path, field]))
  const settings = structuredClone(base)
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw invalid(`--setting "${pair}" has no "=": write it as path=value, e.g. acks=all`)
    const path = pair.slice(0, equals)
    const map = [...fields.values()].find((each) => each.isMap && path.startsWith(`${each.path}.`))
    if (map) {
      put(settings, [map.path, path.slice(map.path.length + 1)], pair.slice(equals + 1))
      continue
    }
    const field = fields.get(path)
    if (!field) {
      throw invalid(
        `setting ${path} is unknown to ${driver.kind}: use one of ${[...fields.keys()].join(', ')}; \`bpmn-relay adapter settings ${driver.kind}\` explains them`,
      )
    }
    put(settings, path.split('.'), typed(field, pair.slice(equals + 1)))
  }
  return settings
}

function typed({ path, type }: SettingField, text: string): unknown {
  // A variable's value gets its type when it is put in.
  if (text.includes('@env(')) return text
  switch (type) {
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw invalid(`setting ${path} is ${JSON.stringify(text)}: use true or false`)
    case 'integer':
    case 'number': {
      const number = Number(text)
      if (text.trim() !== '' && Number.isFinite(number)) return number
      throw invalid(`setting ${path} is ${JSON.stringify(text)}: use a number`)
    }
    default:
      return text
  }
}

function put(target: Record<string, unknown>, [name = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    target[name] = value
    return
  }
  const inner = target[name]
  const copy: Record<string, unknown> =
    inner !== null && typeof inner === 'object' ? Object.fromEntries(Object.entries(inner)) : {}
  put(copy, rest, value)
  target[name] = copy
}

function sentences(...parts: (string | undefined)[]): string {
  return parts.flatMap((part) => (part ? [part.endsWith('.') ? part : `${part}.`] : [])).join(' ')
}

/** Every single value of nested settings with its path. */
export function flatten(value: unknown, path = ''): [path: string, value: unknown][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, value]]
  return Object.entries(value).flatMap(([name, inner]) => flatten(inner, path ? `${path}.${name}` : name))
}

function invalid(message: string): RelayError {
  return new RelayError('SETTINGS_INVALID', message)
}
