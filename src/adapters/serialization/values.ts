import { RelayError } from '../../core/errors.js'
import { stringifyExact } from '../../core/exact-json.js'

/** Turns values that are there into bytes and back. `field` names the value in errors. */
export interface Codec {
  /** @throws RelayError VALUE_NOT_SERIALIZABLE */
  encode(json: string, field: string): Buffer
  /** JSON text. @throws RelayError VALUE_NOT_DESERIALIZABLE */
  decode(bytes: Buffer, field: string): string
}

const SHOWN_LENGTH = 100

/** @param right what would be right, such as `a whole number from 0 to 9`. */
export function notSerializable(field: string, value: unknown, right: string): RelayError {
  const shown = value === undefined ? 'missing' : stringifyExact(value)
  const short = shown.length > SHOWN_LENGTH ? `${shown.slice(0, SHOWN_LENGTH)}…` : shown
  return new RelayError('VALUE_NOT_SERIALIZABLE', `${field} is ${short}: it must be ${right}`)
}

export function notDeserializable(field: string, problem: string, cause?: unknown): RelayError {
  return new RelayError('VALUE_NOT_DESERIALIZABLE', `${field} ${problem}`, { cause })
}

/** @throws RelayError VALUE_NOT_SERIALIZABLE where a value could not be converted. */
export function fitting<T>(converted: T | undefined, value: unknown, right: string, field: string): T {
  if (converted !== undefined) return converted
  throw notSerializable(field, value, right)
}

/** @throws RelayError VALUE_NOT_SERIALIZABLE */
export function objectOf(value: unknown, field: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value))
  }
  throw notSerializable(field, value, 'an object')
}

/** An integer, as number or as text of one: "42", 42 and 42.0 are the same. Undefined for anything else. */
export function wholeNumber(value: unknown): bigint | undefined {
  switch (typeof value) {
    case 'bigint':
      return value
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : undefined
    case 'string':
      return /^-?\d{1,40}$/.test(value) ? BigInt(value) : undefined
    default:
      return undefined
  }
}

/** A double, as number or as text of one; JSON has no other way to write "NaN", "Infinity" and "-Infinity". */
export function realNumber(value: unknown): number | undefined {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
  const isNumber =
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    (typeof value === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value))
  const number = isNumber ? Number(value) : Number.NaN
  return Number.isFinite(number) ? number : undefined
}

/** Like `realNumber`, rounded to a float; undefined when it is too large for one. */
export function singleNumber(value: unknown): number | undefined {
  const number = realNumber(value)
  if (number === undefined) return undefined
  const single = Math.fround(number)
  return Number.isFinite(number) && !Number.isFinite(single) ? undefined : single
}

export const SINGLE_RANGE = 'a number from -3.4028235e38 to 3.4028235e38, "NaN", "Infinity" or "-Infinity"'
export const DOUBLE_RANGE =
  'a number from -1.7976931348623157e308 to 1.7976931348623157e308, "NaN", "Infinity" or "-Infinity"'

/** A float or double as JSON can hold it. */
export function jsonNumber(number: number): number | string {
  return Number.isFinite(number) ? number : String(number)
}

/** The number with the fewest digits that is the same float: 0.1 and not 0.10000000149011612. */
export function shortestSingle(single: number): number {
  // -0 would lose its sign as text.
  if (single === 0) return single
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(single.toPrecision(digits))
    if (Math.fround(short) === single) return short
  }
  return single
}
