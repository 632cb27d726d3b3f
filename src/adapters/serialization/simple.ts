import { decodeBase64 } from '../../core/base64.js'
import { RelayError } from '../../core/errors.js'
import { parseExact } from '../../core/exact-json.js'
import type { Serialization } from './serializer.js'
import {
  type Codec,
  DOUBLE_RANGE,
  notDeserializable,
  notSerializable,
  realNumber,
  SINGLE_RANGE,
  shortestSingle,
  singleNumber,
  wholeNumber,
} from './values.js'

export type SimpleSerialization = Exclude<Serialization, 'avro' | 'json-schema' | 'protobuf' | 'custom'>

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** Serializations that need nothing but the value. The same bytes as Kafka's own Java serializers make. */
export const SIMPLE: Readonly<Record<SimpleSerialization, Codec>> = {
  string: {
    encode: (json, field) => Buffer.from(json.startsWith('"') ? wellFormed(JSON.parse(json), field) : json),
    decode: (bytes, field) => JSON.stringify(utf8(bytes, field)),
  },
  json: {
    encode: (json) => Buffer.from(json),
    decode: jsonText,
  },
  bytes: {
    encode: base64Bytes,
    decode: (bytes) => JSON.stringify(bytes.toString('base64')),
  },
  short: integers('short', 2),
  integer: integers('integer', 4),
  long: integers('long', 8),
  float: {
    encode(json, field) {
      const number = singleNumber(parseExact(json))
      if (number === undefined) throw unfit(field, json, 'float', SINGLE_RANGE)
      const bytes = Buffer.allocUnsafe(4)
      bytes.writeFloatBE(number)
      return bytes
    },
    decode: (bytes, field) => numberText(shortestSingle(sized(bytes, 4, 'float', field).readFloatBE())),
  },
  double: {
    encode(json, field) {
      const number = realNumber(parseExact(json))
      if (number === undefined) throw unfit(field, json, 'double', DOUBLE_RANGE)
      const bytes = Buffer.allocUnsafe(8)
      bytes.writeDoubleBE(number)
      return bytes
    },
    decode: (bytes, field) => numberText(sized(bytes, 8, 'double', field).readDoubleBE()),
  },
  uuid: {
    encode(json, field) {
      const uuid: unknown = JSON.parse(json)
      if (typeof uuid === 'string' && UUID.test(uuid)) return Buffer.from(uuid.toLowerCase())
      throw unfit(field, json, 'uuid', 'a text such as "123e4567-e89b-12d3-a456-426614174000"')
    },
    decode(bytes, field) {
      const uuid = bytes.toString('latin1')
      if (UUID.test(uuid)) return JSON.stringify(uuid.toLowerCase())
      throw notDeserializable(field, 'holds no UUID, as the serialization "uuid" needs')
    },
  },
  boolean: {
    encode(json, field) {
      const value: unknown = JSON.parse(json)
      if (value === true || value === 'true') return Buffer.of(1)
      if (value === false || value === 'false') return Buffer.of(0)
      throw unfit(field, json, 'boolean', 'true or false')
    },
    decode(bytes, field) {
      const [bit] = sized(bytes, 1, 'boolean', field)
      if (bit === 0 || bit === 1) return String(bit === 1)
      throw notDeserializable(field, `is the byte ${bit}, but the serialization "boolean" knows 0 and 1 only`)
    },
  },
}

/** Whether a serialization needs no settings. */
export function isSimple(serialization: Serialization): serialization is SimpleSerialization {
  return Object.hasOwn(SIMPLE, serialization)
}

/** JSON text of bytes that are JSON, as it stands. */
export function jsonText(bytes: Buffer, field: string): string {
  const text = utf8(bytes, field)
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    throw notDeserializable(field, 'is no JSON: use serialization "string" or "bytes"', cause)
  }
}

/** Signed, big-endian. */
function integers(name: SimpleSerialization, size: 2 | 4 | 8): Codec {
  const max = 2n ** BigInt(size * 8 - 1) - 1n
  const min = -max - 1n
  return {
    encode(json, field) {
      // What is digits already need not be parsed: that is the usual case, and these are on the hot path.
      const number = wholeNumber(/^-?\d+$/.test(json) ? json : parseExact(json))
      if (number === undefined || number < min || number > max) {
        throw unfit(field, json, name, `a whole number from ${min} to ${max}`)
      }
      const bytes = Buffer.allocUnsafe(8)
      bytes.writeBigInt64BE(number)
      return bytes.subarray(8 - size)
    },
    decode(bytes, field) {
      const hex = sized(bytes, size, name, field).toString('hex')
      return String(BigInt.asIntN(size * 8, BigInt(`0x${hex}`)))
    },
  }
}

/** JSON text of a float or double; `JSON.stringify` would lose the sign of -0. */
function numberText(number: number): string {
  if (Object.is(number, -0)) return '-0.0'
  return Number.isFinite(number) ? String(number) : `"${number}"`
}

// UTF-8 has no bytes for half a surrogate pair: Buffer would send a replacement character instead, silently.
function wellFormed(value: unknown, field: string): string {
  const text = String(value)
  if (text.isWellFormed()) return text
  throw new RelayError(
    'VALUE_NOT_SERIALIZABLE',
    `${field} holds a lone surrogate, half of a character: repair the text, or use serialization "bytes"`,
  )
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8(bytes: Buffer, field: string): string {
  try {
    return strictUtf8.decode(bytes)
  } catch (cause) {
    throw notDeserializable(field, 'is no UTF-8 text: use serialization "bytes"', cause)
  }
}

function base64Bytes(json: string, field: string): Buffer {
  const value: unknown = JSON.parse(json)
  const bytes = bytesOf(value)
  if (bytes) return bytes
  throw new RelayError(
    'VALUE_NOT_SERIALIZABLE',
    `${field} must be base64 text or {"base64": "…"}, as the adapter's serialization is "bytes"`,
  )
}

/** Bytes of base64 text or `{base64}`; undefined for anything else. */
export function bytesOf(value: unknown): Buffer | undefined {
  const base64 = value !== null && typeof value === 'object' && 'base64' in value ? value.base64 : value
  return typeof base64 === 'string' ? decodeBase64(base64) : undefined
}

function sized(bytes: Buffer, size: number, name: SimpleSerialization, field: string): Buffer {
  if (bytes.length === size) return bytes
  throw notDeserializable(
    field,
    `has ${bytes.length} bytes, but the serialization "${name}" needs ${size}: choose the one it was written with`,
  )
}

function unfit(field: string, json: string, name: SimpleSerialization, right: string): RelayError {
  return notSerializable(
    field,
    parseExact(json),
    `${right}, as the adapter's serialization of it is "${name}"`,
  )
}
