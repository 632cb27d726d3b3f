import { readFile } from 'node:fs/promises'
import { type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError } from '../core/errors.js'
import { table } from './table.js'

/** One setting of a kind of adapter or notifier, as its JSON schema describes it. */
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

/** All settings of a schema with what they mean, for people. */
export function explained(schema: TObject): string {
  const texts = settingFields(schema).map((field) => {
    const notes = [
      field.choices.length > 0 ? field.choices.join(' | ') : field.type,
      ...(field.unit === undefined ? [] : [field.unit]),
      ...(field.default === undefined ? [] : [`default ${field.default}`]),
      ...(field.secret ? ['secret'] : []),
    ]
    return `${field.path} (${notes.join(', ')})\n    ${field.text}`
  })
  return texts.join('\n')
}

/** What settings are parsed for. */
export interface SettingsForm {
  /** Such as `kafka`. */
  kind: string
  settings: TObject
  /** The command that explains them. */
  explainedBy: string
}

/**
 * Settings from texts of the form `path=value`, each value of the type its setting has, on top of `base`.
 * @throws RelayError SETTINGS_INVALID
 */
export function parseSettings(
  pairs: readonly string[],
  form: SettingsForm,
  base: Record<string, unknown>,
): Record<string, unknown> {
  const fields = new Map(settingFields(form.settings).map((field) => [field.path, field]))
  const settings = structuredClone(base)
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw invalid(`--setting "${pair}" has no "=": write it as path=value`)
    const path = pair.slice(0, equals)
    const map = [...fields.values()].find((each) => each.isMap && path.startsWith(`${each.path}.`))
    if (map) {
      put(settings, [map.path, path.slice(map.path.length + 1)], pair.slice(equals + 1))
      continue
    }
    const field = fields.get(path)
    if (!field) {
      throw invalid(
        `setting ${path} is unknown to ${form.kind}: use one of ${[...fields.keys()].join(', ')}; \`bpmn-relay ${form.explainedBy}\` explains them`,
      )
    }
    put(settings, path.split('.'), typed(field, pair.slice(equals + 1)))
  }
  return settings
}

/**
 * Settings without those at `paths`, such as `timeoutMs`, `headers` or `headers.X-Team`.
 * @throws RelayError SETTINGS_INVALID for a path where nothing is set
 */
export function withoutSettings(
  settings: Record<string, unknown>,
  paths: readonly string[],
): Record<string, unknown> {
  const known = flatten(settings).map(([path]) => path)
  const unknown = paths.find((path) => !known.some((each) => each === path || each.startsWith(`${path}.`)))
  if (unknown !== undefined) {
    throw invalid(`setting ${unknown} is not set: those that are set are ${known.join(', ')}`)
  }
  return omit(settings, '', new Set(paths))
}

function omit(settings: object, prefix: string, paths: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]: [string, unknown]) => {
      const path = prefix + name
      if (paths.has(path)) return []
      const isGroup = value !== null && typeof value === 'object' && !Array.isArray(value)
      return [[name, isGroup ? omit(value, `${path}.`, paths) : value]]
    }),
  )
}

/** @throws RelayError SETTINGS_INVALID */
export async function readSettingsFile(file: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value))
    }
    throw new Error('it holds no JSON object')
  } catch (cause) {
    throw new RelayError(
      'SETTINGS_INVALID',
      `--settings-file ${file} cannot be used: ${messageOf(cause)}; give a file that holds a JSON object`,
      { cause },
    )
  }
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

/** Everything that a thing with settings says of itself, a line each. */
export function fieldTable(view: unknown): string {
  const rows = flatten(view).map(([path, value]) => [
    path,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
  return table([{ title: 'FIELD' }, { title: 'VALUE' }], rows)
}

/** Every single value of nested settings with its path. */
function flatten(value: unknown, path = ''): [path: string, value: unknown][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, value]]
  return Object.entries(value).flatMap(([name, inner]) => flatten(inner, path ? `${path}.${name}` : name))
}

function invalid(message: string): RelayError {
  return new RelayError('SETTINGS_INVALID', message)
}
