import type { Adapter } from '../adapters/adapter.js'
import { DROPPED, type Serializers, type Side } from '../adapters/serialization/serializer.js'
import type { ConsumedMessage } from '../brokers/operator.js'
import { textOrBase64 } from '../core/base64.js'
import { type ErrorCode, RelayError } from '../core/errors.js'
import { onOneLine, textOfJson } from './value-text.js'

/** A key or value as it is printed. */
export interface Shown {
  text: Buffer
  /** In JSON output; JSON text. */
  json: string
  /** Its bytes in the message. */
  size: number
}

export interface ShownMessage extends Omit<ConsumedMessage, Side> {
  key: Shown | null
  value: Shown | null
  /** Why key or value is shown as its bytes. */
  problem?: { code: ErrorCode; description: string }
  /** The adapter's module drops it. */
  skipped?: true
}

/** What is to be seen of keys and values. */
export type Show = (message: ConsumedMessage) => Promise<ShownMessage>

export const showRaw: Show = async ({ key, value, ...rest }) => ({
  ...rest,
  key: raw(key),
  value: raw(value),
})

export const showBase64: Show = async ({ key, value, ...rest }) => ({
  ...rest,
  key: key && base64(key),
  value: value && base64(value),
})

/** What speaks of one message; anything else would befall all of them. */
const OF_ONE_MESSAGE: ReadonlySet<ErrorCode> = new Set([
  'VALUE_NOT_DESERIALIZABLE',
  'SCHEMA_UNKNOWN',
  'SCHEMA_INVALID',
])

/** Values as the adapter's serialization reads them; what it cannot read is shown as bytes, with the reason. */
export function showDeserialized(
  serializers: Serializers,
  { keySerialization, valueSerialization }: Pick<Adapter, 'keySerialization' | 'valueSerialization'>,
): Show {
  const serializations = { key: keySerialization, value: valueSerialization }

  return async ({ key, value, ...rest }) => {
    const message: ShownMessage = { ...rest, key: null, value: null }
    for (const [side, bytes] of [
      ['key', key],
      ['value', value],
    ] as const) {
      if (bytes === null) continue
      try {
        const json = await serializers[side].deserialize(bytes, rest.topic)
        if (json === DROPPED) {
          message.skipped = true
          message[side] = undisguised(bytes)
        } else {
          const text = Buffer.from(textOfJson(json, serializations[side]))
          message[side] = { text, json: onOneLine(json), size: bytes.length }
        }
      } catch (thrown) {
        if (!(thrown instanceof RelayError && OF_ONE_MESSAGE.has(thrown.code))) throw thrown
        message.problem ??= { code: thrown.code, description: thrown.message }
        message[side] = undisguised(bytes)
      }
    }
    return message
  }
}

function raw(bytes: Buffer | null): Shown | null {
  if (bytes === null) return null
  return { text: bytes, json: JSON.stringify(textOrBase64(bytes)), size: bytes.length }
}

function base64(bytes: Buffer): Shown {
  const text = bytes.toString('base64')
  return { text: Buffer.from(text), json: JSON.stringify(text), size: bytes.length }
}

/** Bytes that must not be taken for a value. */
function undisguised(bytes: Buffer): Shown {
  const json = JSON.stringify({ base64: bytes.toString('base64') })
  return { text: Buffer.from(json), json, size: bytes.length }
}
