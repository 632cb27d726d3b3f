import { decodeBase64 } from '../core/base64.js'
import { RelayError } from '../core/errors.js'
import type { Serialization } from './adapter.js'

/**
 * Bytes of a value that is given as JSON text, so that numbers keep the digits the engine gave them.
 *
 * @param field names the value in errors.
 * @returns null for JSON null: a tombstone, or no key.
 * @throws RelayError VALUE_NOT_SERIALIZABLE
 */
export function serialize(json: string, how: Serialization, field: string): Buffer | null {
  if (json === 'null') return null
  switch (how) {
    case 'string':
      return Buffer.from(json.startsWith('"') ? wellFormed(parseText(json), field) : json)
    case 'json':
      return Buffer.from(json)
    case 'bytes':
      return bytesOf(json, field)
    default:
      return how satisfies never
  }
}

function parseText(json: string): string {
  const value: unknown = JSON.parse(json)
  return String(value)
}

// UTF-8 has no bytes for half a surrogate pair: Buffer would send a replacement character instead, silently.
function wellFormed(text: string, field: string): string {
  if (text.isWellFormed()) return text
  throw new RelayError(
    'VALUE_NOT_SERIALIZABLE',
    `${field} holds a lone surrogate, half of a character: repair the text, or use serialization "bytes"`,
  )
}

function bytesOf(json: string, field: string): Buffer {
  const value: unknown = JSON.parse(json)
  const base64 = value !== null && typeof value === 'object' && 'base64' in value ? value.base64 : value
  const bytes = typeof base64 === 'string' ? decodeBase64(base64) : undefined
  if (bytes) return bytes
  throw new RelayError(
    'VALUE_NOT_SERIALIZABLE',
    `${field} must be base64 text or {"base64": "…"}, as the adapter's serialization is "bytes"`,
  )
}
