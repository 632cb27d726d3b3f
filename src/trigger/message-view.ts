import { DROPPED, type Dropped, type Serializers } from '../adapters/serialization/serializer.js'
import type { HeaderValue } from '../brokers/broker.js'
import type { InboundMessage } from '../brokers/subscription.js'
import { textOrBase64 } from '../core/base64.js'
import { objectOf } from '../core/json.js'

/** A message whose bytes have been read by the adapter's serialization. */
export interface ReadMessage {
  message: InboundMessage
  /** JSON text, as is the value: no digit is lost. RocketMQ: its keys; a list where there are several. */
  key: string
  value: string
}

/** @throws RelayError VALUE_NOT_DESERIALIZABLE and those of the schema registry */
export async function readMessage(
  message: InboundMessage,
  serializers: Serializers,
): Promise<ReadMessage | Dropped> {
  const { topic, keys } = message
  const value = await serializers.value.deserialize(message.value, topic)
  if (value === DROPPED) return DROPPED
  if (keys !== undefined) return { message, key: JSON.stringify(keys.length === 1 ? keys[0] : keys), value }
  const key = await serializers.key.deserialize(message.key, topic)
  return key === DROPPED ? DROPPED : { message, key, value }
}

/** What expressions see. */
export function viewOf({ message, key, value }: ReadMessage): Record<string, unknown> {
  const { topic, queue, timestamp, tag, messageGroup } = message
  return {
    key: JSON.parse(key),
    value: JSON.parse(value),
    rawValue: message.value?.toString('base64') ?? null,
    headers: shownHeaders(message.headers),
    ...{ topic, partition: queue.partition, offset: shownOffset(message.offset), timestamp },
    ...(tag !== undefined && { tag }),
    ...(messageGroup !== undefined && { messageGroup }),
  }
}

/** The variables of a trigger without an expression for them: JSON text. */
export function defaultVariables({ message, key, value }: ReadMessage): string {
  return objectOf([
    ['payload', value],
    ['attribute', objectOf([...attributesOf(message), ['key', key]])],
  ])
}

/** All about a message but its key and value; names and JSON texts. */
export function attributesOf(message: InboundMessage): [name: string, json: string][] {
  const { topic, queue, offset, timestamp, headers, tag, messageGroup } = message
  const attributes: [string, string][] = [
    ['topic', JSON.stringify(topic)],
    ['partition', String(queue.partition)],
    ['offset', JSON.stringify(shownOffset(offset))],
    ['timestamp', String(timestamp)],
    ['headers', JSON.stringify(shownHeaders(headers))],
  ]
  if (tag !== undefined) attributes.push(['tag', JSON.stringify(tag)])
  if (messageGroup !== undefined) attributes.push(['messageGroup', JSON.stringify(messageGroup)])
  return attributes
}

/** The first value of a header, as text. */
export function headerText({ headers }: InboundMessage, name: string): string | undefined {
  const value = headers[name]
  const first = Array.isArray(value) ? value[0] : value
  return first === undefined ? undefined : String(first)
}

/** A number where that is exact. */
function shownOffset(offset: string): number | string {
  const number = Number(offset)
  return Number.isSafeInteger(number) ? number : offset
}

type ShownHeader = ReturnType<typeof textOrBase64>

/** Texts, or base64 where the bytes are none; a list where a header comes several times. */
function shownHeaders(headers: Record<string, HeaderValue>): Record<string, ShownHeader | ShownHeader[]> {
  const all: Record<string, ShownHeader | ShownHeader[]> = {}
  for (const name in headers) {
    const value = headers[name] ?? ''
    all[name] = Array.isArray(value) ? value.map(shownHeader) : shownHeader(value)
  }
  return all
}

function shownHeader(value: string | Buffer): ShownHeader {
  return typeof value === 'string' ? value : textOrBase64(value)
}
