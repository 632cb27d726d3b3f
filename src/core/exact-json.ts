import { isLosslessNumber, parse, stringify } from 'lossless-json'

/** Fewer digits than these always fit a double. */
const LONG_NUMBER = /\d{16}/

/**
 * Like `JSON.parse`, but an integer that a double would round becomes a bigint.
 * @throws SyntaxError
 */
export function parseExact(json: string): unknown {
  return LONG_NUMBER.test(json) ? parse(json, undefined, numberOrBigint) : JSON.parse(json)
}

/**
 * Like `JSON.parse`, but every number is an object that `stringifyExact` writes with the same characters.
 * @throws SyntaxError
 */
export function parseVerbatim(json: string): unknown {
  return parse(json, undefined, { onDuplicateKey: ({ newValue }) => newValue })
}

export function isVerbatimNumber(value: unknown): boolean {
  return isLosslessNumber(value)
}

/** Like `JSON.stringify`; bigints become their digits. */
export function stringifyExact(value: unknown): string {
  return stringify(value) ?? 'null'
}

function numberOrBigint(digits: string): number | bigint {
  const number = Number(digits)
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(digits) ? number : BigInt(digits)
}
