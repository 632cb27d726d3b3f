import { storable } from './storable.js'

/** Type number of `text` in Postgres. */
const TEXT_OID = 25
const HEADER_BYTES = 20
const LENGTH_BYTES = 4
/** Of one character in UTF-8. */
const MAX_CHARACTER_BYTES = 4
const NO_VALUES = header(0, false)

const NUL = '\0'

/**
 * A parameter of type `text[]`, in which Postgres stores no NUL: it becomes the replacement character. In Postgres's binary format,
 * which the driver passes on as it is. The driver's own text format quotes each value and has the server read it letter by
 * letter, which costs both sides where texts are long.
 */
export function textArray(values: readonly (string | null)[]): Buffer {
  if (values.length === 0) return NO_VALUES
  // Most columns are ASCII, whose bytes need no counting.
  return (
    encoded(values, true) ?? encoded(values, false) ?? textArray(values.map((text) => text && storable(text)))
  )
}

/** Undefined where a text has a NUL, or where one is not ASCII although all were to be. */
function encoded(values: readonly (string | null)[], isAscii: boolean): Buffer | undefined {
  let bytes = HEADER_BYTES + values.length * LENGTH_BYTES
  let hasNull = false
  for (const value of values) {
    if (value === null) hasNull = true
    else bytes += isAscii ? value.length : Buffer.byteLength(value)
  }
  // With room for one more character, a text that is not ASCII has more bytes than it should, even where it is cut off.
  const array = header(values.length, hasNull, bytes + MAX_CHARACTER_BYTES)
  let at = HEADER_BYTES
  for (let index = 0, next = 0; index < values.length; index = next) {
    const value = values[index] ?? null
    let length = -1
    if (value !== null) {
      if (value.includes(NUL)) return undefined
      length = array.write(value, at + LENGTH_BYTES)
      if (isAscii && length !== value.length) return undefined
    }
    array.writeInt32BE(length, at)
    const end = at + LENGTH_BYTES + Math.max(0, length)
    // A column often says the same in all rows of a moment: what follows its like is a copy of it.
    next = index + 1
    while (next < values.length && values[next] === value) next += 1
    const copiesEnd = end + (end - at) * (next - index - 1)
    if (copiesEnd > end) array.fill(array.subarray(at, end), end, copiesEnd)
    at = copiesEnd
  }
  return array.subarray(0, bytes)
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
