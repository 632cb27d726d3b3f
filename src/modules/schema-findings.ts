import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Path } from './documents.js'

/** What is wrong with a value, by the path to it. */
export interface Fault {
  path: Path
  message: string
}

interface Options {
  /** What messages call the value. */
  name: string
  /** Shows no values: some may be secret. */
  hides?: boolean
  /** Shows numbers and switches only, and what had to be chosen from a list. */
  hidesTexts?: boolean
}

/** All that keeps `value` from being what `schema` says, in words that name place, value and cure. */
export function faultsOf(
  schema: TSchema,
  value: unknown,
  { name, hides = false, hidesTexts = false }: Options,
): Fault[] {
  const all = Value.Errors(schema, value)
  const byPath = new Map(
    all.map(({ instancePath }) => [instancePath, all.filter((each) => each.instancePath === instancePath)]),
  )
  return [...byPath].flatMap(([pointer, errors]) => {
    const path = stepsOf(pointer)
    const field = `${name}${pathText(path)}`
    const found = pointer === '' ? value : Value.Pointer.Get(value, pointer)
    const isHidden = hides || (hidesTexts && !isPlain(found) && !errors.some(isChoice))
    const is = `${field} is ${isHidden ? 'not what it should be' : shown(found)}`
    const wanted: string[] = []
    const faults: Fault[] = []
    for (const { keyword, params, schemaPath } of errors) {
      const told: Record<string, unknown> = { ...params }
      switch (keyword) {
        case 'additionalProperties':
        case 'anyOf':
          // Told of each property, or alternative, besides.
          break
        case 'boolean':
          faults.push({ path, message: unknownText(field, fieldsAt(schema, schemaPath)) })
          break
        case 'required':
          for (const missing of listOf(told.requiredProperties)) {
            faults.push({ path, message: `${field || 'the document'} has no ${missing}: give it one` })
          }
          break
        case 'type':
          wanted.push(TYPES[String(told.type)] ?? String(told.type))
          break
        case 'enum':
          wanted.push(`one of ${listOf(told.allowedValues).join(', ')}`)
          break
        case 'const':
          wanted.push(String(told.allowedValue))
          break
        case 'minLength':
          wanted.push('a text that is not empty')
          break
        case 'minimum':
        case 'maximum':
          wanted.push(`a number ${String(told.comparison)} ${String(told.limit)}`)
          break
        default:
          wanted.push(`what is right for ${keyword} ${JSON.stringify(told)}`)
      }
    }
    if (wanted.length > 0) faults.push({ path, message: `${is}: use ${[...new Set(wanted)].join(' or ')}` })
    return faults
  })
}

function isPlain(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean'
}

function isChoice({ keyword }: { keyword: string }): boolean {
  return keyword === 'enum'
}

/** Such as `.settings.acks` or `[0].name`. */
export function pathText(path: Path): string {
  return path.map((step) => (/^\d+$/.test(String(step)) ? `[${step}]` : `.${step}`)).join('')
}

/** A value on one short line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'bigint' ? String(inner) : inner,
  )
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** Says that there is no such field, and which there are. */
export function unknownText(field: string, known: readonly string[]): string {
  return `${field} is not known: remove it or correct its name; there are ${known.join(', ')}`
}

const TYPES: Record<string, string> = {
  string: 'a text, in quotes where it looks like a number',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
}

function stepsOf(pointer: string): Path {
  const steps = pointer.split('/').slice(1)
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Names of the properties of the object that a schema path such as `#/properties/a/additionalProperties` is in. */
function fieldsAt(schema: TSchema, schemaPath: string): string[] {
  const pointer = schemaPath.replace(/^#/, '').replace(/\/additionalProperties$/, '/properties')
  const properties: unknown = Value.Pointer.Get(schema, pointer)
  return properties !== null && typeof properties === 'object' ? Object.keys(properties) : []
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
