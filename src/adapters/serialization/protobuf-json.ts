import protobuf from 'protobufjs'
import { RelayError } from '../../core/errors.js'
import { isLeafType, toLeaf } from './leaves.js'
import { jsonNumber, notSerializable, objectOf, shortestSingle, wholeNumber } from './values.js'

/** Bits and sign of each type of integer. */
const INTEGERS: Readonly<Record<string, { bits: 32 | 64; signed: boolean }>> = {
  int32: { bits: 32, signed: true },
  sint32: { bits: 32, signed: true },
  sfixed32: { bits: 32, signed: true },
  uint32: { bits: 32, signed: false },
  fixed32: { bits: 32, signed: false },
  int64: { bits: 64, signed: true },
  sint64: { bits: 64, signed: true },
  sfixed64: { bits: 64, signed: true },
  uint64: { bits: 64, signed: false },
  fixed64: { bits: 64, signed: false },
}
const INT64_MAX = 2n ** 63n - 1n

type Members = Record<string, unknown>

/** A value of JSON in the form protobufjs encodes. @throws RelayError VALUE_NOT_SERIALIZABLE naming the place. */
export function toProtobuf(type: protobuf.Type, value: unknown, path: string): Members {
  const given = objectOf(value, path)
  const message: Members = {}
  const seen = new Map<protobuf.OneOf, string>()
  const fields = new Map(
    type.fieldsArray.flatMap((field) => [[field.name, field] as const, [jsonName(field), field] as const]),
  )
  for (const [name, member] of Object.entries(given)) {
    const at = `${path}.${name}`
    const field = fields.get(name)
    if (!field) {
      throw new RelayError(
        'VALUE_NOT_SERIALIZABLE',
        `${at} is no field of ${type.name}, which has ${type.fieldsArray.map(jsonName).join(', ')}: remove it or change the schema`,
      )
    }
    if (member === null) continue
    if (field.partOf) {
      const other = seen.get(field.partOf)
      if (other !== undefined)
        throw notSerializable(at, member, `left out, as ${path}.${other} is set and only one of them may be`)
      seen.set(field.partOf, name)
    }
    message[field.name] = toField(field, member, at)
  }
  const missing = type.fieldsArray.find((field) => field.required && !(field.name in message))
  if (missing) throw notSerializable(`${path}.${missing.name}`, undefined, 'given')
  return message
}

function toField(field: protobuf.Field, value: unknown, path: string): unknown {
  if (field instanceof protobuf.MapField) {
    return Object.fromEntries(
      Object.entries(objectOf(value, path)).map(([name, item]) => [
        toMapKey(field.keyType, name, path),
        toSingle(field, item, `${path}.${name}`),
      ]),
    )
  }
  if (!field.repeated) return toSingle(field, value, path)
  if (!Array.isArray(value)) throw notSerializable(path, value, 'a list')
  return value.map((item, index) => toSingle(field, item, `${path}[${index}]`))
}

function toMapKey(type: string, name: string, path: string): string {
  if (type === 'string') return name
  if (type === 'bool') {
    if (name === 'true' || name === 'false') return name
    throw notSerializable(path, name, 'a map with the keys "true" and "false"')
  }
  return String(toInteger(type, name, `${path}.${name}`))
}

function toSingle(field: protobuf.Field, value: unknown, path: string): unknown {
  const { resolvedType } = field
  if (resolvedType instanceof protobuf.Type) return toProtobuf(resolvedType, value, path)
  if (resolvedType instanceof protobuf.Enum) {
    const known = typeof value === 'string' ? resolvedType.values[value] : undefined
    if (known !== undefined) return known
    if (typeof value === 'number') return toInteger('int32', value, path)
    const names = Object.keys(resolvedType.values)
    throw notSerializable(path, value, `one of ${names.map((name) => `"${name}"`).join(', ')}`)
  }
  const leaf = field.type === 'bool' ? 'boolean' : field.type
  return isLeafType(leaf) ? toLeaf(leaf, value, path) : toInteger(leaf, value, path)
}

/** 64-bit ones as decimal text, which protobufjs reads without loss. */
function toInteger(type: string, value: unknown, path: string): number | string {
  const { bits, signed } = integerType(type)
  const min = signed ? -(2n ** BigInt(bits - 1)) : 0n
  const max = 2n ** BigInt(signed ? bits - 1 : bits) - 1n
  const number = wholeNumber(value)
  if (number === undefined || number < min || number > max) {
    throw notSerializable(path, value, `a whole number from ${min} to ${max}`)
  }
  return bits === 32 ? Number(number) : String(number)
}

function integerType(type: string): { bits: 32 | 64; signed: boolean } {
  const integer = INTEGERS[type]
  if (integer) return integer
  throw new RelayError('SCHEMA_INVALID', `the Protobuf type ${type} is not known here`)
}

/** What protobufjs has decoded, as JSON can hold it: fields without presence always, others if they are set. */
export function fromProtobuf(type: protobuf.Type, message: object): Members {
  const given = new Map<string, unknown>(Object.entries(message))
  const members: Members = {}
  for (const field of type.fieldsArray) {
    if (!given.has(field.name) && field.hasPresence) continue
    members[jsonName(field)] = fromField(field, given.get(field.name))
  }
  return members
}

function fromField(field: protobuf.Field, value: unknown): unknown {
  if (field instanceof protobuf.MapField) {
    const members: [string, unknown][] = Object.entries(value ?? {})
    return Object.fromEntries(
      members.map(([key, item]) => [fromMapKey(field.keyType, key), fromSingle(field, item)]),
    )
  }
  if (field.repeated) return Array.isArray(value) ? value.map((item) => fromSingle(field, item)) : []
  return fromSingle(field, value ?? field.typeDefault)
}

/** protobufjs keeps 64-bit keys as eight characters. */
function fromMapKey(type: string, key: string): string {
  const integer = INTEGERS[type]
  return integer?.bits === 64 ? String(protobuf.util.longFromHash(key, !integer.signed)) : key
}

function fromSingle(field: protobuf.Field, value: unknown): unknown {
  const { resolvedType } = field
  if (resolvedType instanceof protobuf.Type) {
    return value !== null && typeof value === 'object' ? fromProtobuf(resolvedType, value) : null
  }
  if (resolvedType instanceof protobuf.Enum) return resolvedType.valuesById[Number(value)] ?? value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (field.type === 'bytes') return ''
  if (INTEGERS[field.type]?.bits === 64) {
    const number = BigInt(String(value))
    // The engine takes no larger number; as text it keeps its digits.
    return number > INT64_MAX ? String(number) : number
  }
  if (typeof value === 'number') return jsonNumber(field.type === 'float' ? shortestSingle(value) : value)
  return value
}

/** A field's name in JSON: its own choice, or in lower camel case. */
function jsonName(field: protobuf.Field): string {
  const own: unknown = field.options?.json_name
  if (typeof own === 'string') return own
  return field.name.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
