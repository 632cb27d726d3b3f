import avro from 'avsc'
import { messageOf, RelayError } from '../../core/errors.js'
import { parseExact, stringifyExact } from '../../core/exact-json.js'
import { isLeafType, toLeaf } from './leaves.js'
import type { RegisteredSchema } from './schema-registry.js'
import { bytesOf } from './simple.js'
import {
  type Codec,
  fitting,
  jsonNumber,
  notDeserializable,
  notSerializable,
  objectOf,
  shortestSingle,
  wholeNumber,
} from './values.js'

const { types } = avro

const INT_MAX = 2n ** 31n - 1n
const LONG_MAX = 2n ** 63n - 1n

/** 64-bit integers as bigints: numbers would lose digits. */
const exactLong = types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
})

/**
 * Avro's binary encoding. A value of a union is given plainly, the first branch that fits it counts, or named as in
 * Avro's own JSON, `{"string": "x"}`; it is always read plainly. Bytes are base64 text or `{base64}`. A logical type
 * is what underlies it.
 * @throws RelayError SCHEMA_INVALID
 */
export function avroCodec(schema: RegisteredSchema): Codec {
  const type = compile(schema)
  return {
    encode(json, field) {
      return type.toBuffer(toAvro(type, parseExact(json), field))
    },
    decode(bytes, field) {
      let value: unknown
      try {
        value = type.fromBuffer(bytes)
      } catch (cause) {
        throw notDeserializable(
          field,
          `does not hold what its Avro schema ${schema.id} says: ${messageOf(cause)}`,
          cause,
        )
      }
      return stringifyExact(fromAvro(type, value))
    },
  }
}

/** Full name of what a schema text defines; that of its type where it has no name. @throws RelayError SCHEMA_INVALID */
export function avroName(text: string): string {
  const type = compile({ id: 0, type: 'AVRO', text, references: [] })
  return type.name ?? type.typeName
}

function compile({ id, text, references }: RegisteredSchema): avro.Type {
  const options = { registry: {}, wrapUnions: 'always', typeHook: hookLong } as const
  try {
    // Each makes its names known to those after it.
    for (const reference of references) avro.Type.forSchema(JSON.parse(reference.text), options)
    return avro.Type.forSchema(JSON.parse(text), options)
  } catch (cause) {
    throw new RelayError(
      'SCHEMA_INVALID',
      `${id ? `schema ${id}` : 'the schema'} is no Avro schema: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}

/** For longs under a logical type, too. */
function hookLong(schema: avro.Schema): avro.Type | undefined {
  const name = typeof schema === 'object' && 'type' in schema ? schema.type : schema
  return name === 'long' ? exactLong : undefined
}

/** A value of JSON in the form avsc takes. @throws RelayError VALUE_NOT_SERIALIZABLE naming the place. */
function toAvro(type: avro.Type, value: unknown, path: string): unknown {
  if (type instanceof types.RecordType) return toRecord(type, value, path)
  if (type instanceof types.WrappedUnionType) return toUnion(type, value, path)
  if (type instanceof types.ArrayType) {
    if (!Array.isArray(value)) throw notSerializable(path, value, 'a list')
    return value.map((item, index) => toAvro(type.itemsType, item, `${path}[${index}]`))
  }
  if (type instanceof types.MapType) {
    const members = Object.entries(objectOf(value, path))
    return Object.fromEntries(
      members.map(([name, item]) => [name, toAvro(type.valuesType, item, `${path}.${name}`)]),
    )
  }
  if (type instanceof types.EnumType) {
    if (typeof value === 'string' && type.symbols.includes(value)) return value
    throw notSerializable(path, value, `one of ${type.symbols.map((symbol) => `"${symbol}"`).join(', ')}`)
  }
  if (type instanceof types.FixedType) {
    const bytes = bytesOf(value)
    if (bytes?.length === type.size) return bytes
    throw notSerializable(path, value, `base64 text or {"base64": "…"} of ${type.size} bytes`)
  }
  return toPrimitive(type.typeName, value, path)
}

function toPrimitive(name: string, value: unknown, path: string): unknown {
  if (isLeafType(name)) return toLeaf(name, value, path)
  switch (name) {
    case 'abstract:long':
      return whole(value, LONG_MAX, path)
    case 'int':
      return Number(whole(value, INT_MAX, path))
    case 'null':
      return fitting(value === null ? value : undefined, value, 'null', path)
    default:
      throw new RelayError('SCHEMA_INVALID', `${path} has the Avro type ${name}, which is not known here`)
  }
}

function toRecord(type: avro.types.RecordType, value: unknown, path: string): unknown {
  const given = objectOf(value, path)
  const known = new Set(type.fields.map(({ name }) => name))
  const stranger = Object.keys(given).find((name) => !known.has(name))
  if (stranger !== undefined) {
    throw new RelayError(
      'VALUE_NOT_SERIALIZABLE',
      `${path}.${stranger} is no field of ${type.name}, which has ${[...known].join(', ')}: remove it or change the schema`,
    )
  }
  return Object.fromEntries(
    type.fields.map((field) => {
      const member = Object.hasOwn(given, field.name) ? given[field.name] : undefined
      const fallback: unknown = member === undefined ? field.defaultValue() : undefined
      return [
        field.name,
        fallback === undefined ? toAvro(field.type, member, `${path}.${field.name}`) : fallback,
      ]
    }),
  )
}

function toUnion(type: avro.types.WrappedUnionType, value: unknown, path: string): unknown {
  if (value === null && type.types.some((branch) => branch.typeName === 'null')) return null
  const branches = type.types.filter((branch) => branch.typeName !== 'null')
  const [only, ...others] = branches
  const named = branchNamed(branches, value)
  const tries: [branch: avro.Type, value: unknown, path: string][] = named
    ? [[named.branch, named.value, `${path}.${named.branch.branchName}`]]
    : []
  for (const branch of branches) tries.push([branch, value, path])
  for (const [branch, candidate, at] of tries) {
    try {
      return { [branch.branchName ?? '']: toAvro(branch, candidate, at) }
    } catch (error) {
      // Of one branch its own complaint says most.
      if (only === branch && others.length === 0 && at === path) throw error
    }
  }
  const names = type.types.map((branch) => branch.branchName).join(', ')
  throw notSerializable(path, value, `one of ${names}`)
}

function branchNamed(
  branches: avro.Type[],
  value: unknown,
): { branch: avro.Type; value: unknown } | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const [member, ...others] = Object.entries(value)
  if (member === undefined || others.length > 0) return undefined
  const branch = branches.find((each) => each.branchName === member[0])
  return branch && { branch, value: member[1] }
}

/** What avsc has read, as JSON can hold it; integers stay exact. */
function fromAvro(type: avro.Type, value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (typeof value === 'number') {
    return jsonNumber(type.typeName === 'float' ? shortestSingle(value) : value)
  }
  if (value === null || typeof value !== 'object') return value
  const members: [string, unknown][] = Object.entries(value)
  if (type instanceof types.RecordType) {
    const typeOf = new Map(type.fields.map((field) => [field.name, field.type]))
    return Object.fromEntries(members.map(([name, item]) => [name, fromAvro(typeOf.get(name) ?? type, item)]))
  }
  if (type instanceof types.MapType) {
    return Object.fromEntries(members.map(([name, item]) => [name, fromAvro(type.valuesType, item)]))
  }
  if (type instanceof types.ArrayType) return members.map(([, item]) => fromAvro(type.itemsType, item))
  if (type instanceof types.WrappedUnionType) {
    const named = branchNamed(type.types, value)
    if (named) return fromAvro(named.branch, named.value)
  }
  return value
}

function whole(value: unknown, max: bigint, path: string): bigint {
  const number = wholeNumber(value)
  if (number !== undefined && number <= max && number >= -max - 1n) return number
  throw notSerializable(path, value, `a whole number from ${-max - 1n} to ${max}`)
}
