import type { Serialization } from '../adapters/serialization/serializer.js'
import { messageOf, RelayError } from '../core/errors.js'

/**
 * How people write values of a serialization and read them.
 * `text`: as they are. `number`: as JSON, or as they are ("NaN"). `json`: as JSON.
 */
const FORMS: Readonly<Record<Serialization, 'text' | 'number' | 'json'>> = {
  string: 'text',
  json: 'json',
  bytes: 'text',
  short: 'number',
  integer: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  uuid: 'text',
  boolean: 'number',
  avro: 'json',
  'json-schema': 'json',
  protobuf: 'json',
  custom: 'json',
}

/**
 * JSON text of what a person wrote.
 * @param field what people call it
 * @throws RelayError VALUE_NOT_SERIALIZABLE
 */
export function jsonOfText(bytes: Buffer, serialization: Serialization, field: string): string {
  const text = utf8(bytes, field)
  if (serialization === 'string') return JSON.stringify(text)
  const trimmed = text.trim()
  switch (FORMS[serialization]) {
    case 'text':
      return JSON.stringify(trimmed)
    case 'number':
      return isJson(trimmed) ? trimmed : JSON.stringify(trimmed)
    case 'json':
      return checkedJson(trimmed, serialization, field)
  }
}

/** What a person reads, on one line unless the value itself has more: what `jsonOfText` takes back. */
export function textOfJson(json: string, serialization: Serialization): string {
  if (FORMS[serialization] === 'json' || !json.startsWith('"')) return onOneLine(json)
  return String(JSON.parse(json))
}

/** Line breaks stand between the parts of JSON only, never in them. */
export function onOneLine(json: string): string {
  return json.replace(/\s*[\r\n]\s*/g, ' ').trim()
}

function checkedJson(text: string, serialization: Serialization, field: string): string {
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
    throw new RelayError(
      'VALUE_NOT_SERIALIZABLE',
      `${field} ${shown} is no JSON (${messageOf(cause)}), as the adapter's serialization of it, "${serialization}", needs: put a text in quotes, or add --raw to send bytes as they are`,
      { cause },
    )
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8(bytes: Buffer, field: string): string {
  try {
    return strictUtf8.decode(bytes)
  } catch (cause) {
    throw new RelayError(
      'VALUE_NOT_SERIALIZABLE',
      `${field} is no UTF-8 text: add --raw to send bytes as they are`,
      { cause },
    )
  }
}
