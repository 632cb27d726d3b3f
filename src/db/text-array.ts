import { storable } from './storable.js'

/** Type number of `text` in Postgres. */
const TEXT_OID = 25
const HEADER_BYTES = 20
const NO_VALUES = header(0, false)

const NUL = '\0'

/**
 * A parameter of type `text[]`, in which Postgres stores no NUL: it becomes the replacement character. In Postgres's binary format,
 * which the driver passes on as it is. The driver's own text format quotes each value and has the server read it letter by
 * letter, which costs both sides where texts are long.
 */
export function textArray(values: readonly (string | null)[]): Buffer {
  if (values.length === 0) return NO_VALUES
  // A column often says the same in all rows of a moment: what follows its like is a copy of it.
  let before: string | null | undefined
  let elementBytes = 0
  let bytes = HEADER_BYTES
  let hasNull = false
  for (const value of values) {
    if (value === null) {
      hasNull = true
      elementBytes = 4
    } else if (value !== before) {
      if (value.includes(NUL)) return textArray(values.map((text) => text && storable(text)))
      elementBytes = 4 + Buffer.byteLength(value)
    }
    bytes += elementBytes
    before = value
  }
  const array = header(values.length, hasNull, bytes)
  before = undefined
  let at = HEADER_BYTES
  for (const value of values) {
    if (value === before) {
      array.copyWithin(at, at - elementBytes, at)
    } else {
      const length = value === null ? -1 : array.write(value, at + 4)
      array.writeInt32BE(length, at)
      elementBytes = 4 + Math.max(0, length)
    }
    at += elementBytes
    before = value
  }
  return array
}

/**
 * A parameter of an array type whose values need no quotes, in text format: numbers, booleans, keys as decimal text, UUIDs. The
 * driver's own way looks through each value for what to quote.
 */
export function plainArray(values: readonly (string | number | boolean | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`
}

/** One dimension with the lower bound 1; none where there are no values. */
function header(length: number, hasNull: boolean, bytes = 12): Buffer {
  const array = Buffer.allocUnsafe(bytes)
  array.writeInt32BE(length > 0 ? 1 : 0, 0)
  array.writeInt32BE(hasNull ? 1 : 0, 4)
  array.writeInt32BE(TEXT_OID, 8)
  if (length > 0) {
    array.writeInt32BE(length, 12)
    array.writeInt32BE(1, 16)
  }
  return array
}
