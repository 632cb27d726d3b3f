import { isUtf8 } from 'node:buffer'
import type { HeaderValue, OutboundMessage } from '../brokers/broker.js'
import type { RegisteredDriver } from '../brokers/registry.js'
import type { InboundMessage } from '../brokers/subscription.js'

/** Of the broker a message is passed on to. */
type Inputs = RegisteredDriver['inputs']

export interface Onward {
  topic: string
  requestId: string
  /** Besides those the message has, and before them. */
  headers?: Record<string, string>
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what properties of RocketMQ cannot hold.
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/
const TIMESTAMP = 'x-message-timestamp'
/** What separates keys. */
const WHITE_SPACE = /\s/

/**
 * The message to publish so that a received one goes on: the same bytes, and of all that it has beside them whatever
 * the other broker knows too. What that does not know goes along as a header: `x-message-key`, `x-message-keys`,
 * `x-message-tag`, `x-message-group`, `x-message-timestamp`. From RocketMQ to Kafka the message group, or else the
 * keys, become the key, by which messages keep their order; from Kafka to RocketMQ the key becomes the keys.
 */
export function onwardMessage(message: InboundMessage, onward: Onward, inputs: Inputs): OutboundMessage {
  const { topic, requestId, headers: own } = onward
  const headers: Record<string, HeaderValue> = {}
  const outbound: OutboundMessage = { topic, requestId, value: message.value, headers }
  if (inputs.includes('key')) describeByKey(message, outbound)
  else describeByKeys(message, outbound)
  Object.assign(headers, message.headers, own)
  headers['x-request-id'] = requestId
  if (!inputs.includes('headers')) becomeProperties(headers)
  return outbound
}

/** As Kafka has messages. */
function describeByKey(message: InboundMessage, outbound: OutboundMessage): void {
  const { key, keys, tag, messageGroup } = message
  const { headers } = outbound
  const timestamp = firstTimeOf(message)
  const joined = keys?.join(' ')
  const text = messageGroup ?? joined
  outbound.key = key ?? (text === undefined ? null : Buffer.from(text))
  // Kafka gives a message without a time that of its arrival.
  if (timestamp >= 0) outbound.timestamp = timestamp
  if (tag !== undefined) headers['x-message-tag'] = tag
  if (joined !== undefined) headers['x-message-keys'] = joined
  if (messageGroup !== undefined) headers['x-message-group'] = messageGroup
}

/** RocketMQ sets the time of a message itself; one that came from Kafka before has its own beside it. */
function firstTimeOf({ queue, headers, timestamp }: InboundMessage): number {
  const first = queue.broker === undefined ? Number.NaN : Number(headers[TIMESTAMP])
  return Number.isSafeInteger(first) ? first : timestamp
}

/** As RocketMQ has messages. */
function describeByKeys(message: InboundMessage, outbound: OutboundMessage): void {
  const { key, keys, tag, messageGroup, timestamp } = message
  const { headers } = outbound
  const text = key && textOf(key)
  const fits = text !== null && text !== '' && !WHITE_SPACE.test(text) && !CONTROL_CHARACTERS.test(text)
  outbound.keys = fits ? [text] : keys
  outbound.tag = tag
  outbound.messageGroup = messageGroup
  if (key && !fits) headers['x-message-key'] = key
  headers[TIMESTAMP] = String(timestamp)
}

/** One printable text each, in place: what is none, or of several values, becomes base64. */
function becomeProperties(headers: Record<string, HeaderValue>): void {
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === 'string' && !CONTROL_CHARACTERS.test(value)) continue
    headers[name] = [value ?? ''].flat().map(propertyText).join(',')
  }
}

function propertyText(value: string | Buffer): string {
  const text = typeof value === 'string' ? value : textOf(value)
  return text === null || CONTROL_CHARACTERS.test(text) ? Buffer.from(value).toString('base64') : text
}

/** Null where the bytes are no UTF-8. */
function textOf(bytes: Buffer): string | null {
  return isUtf8(bytes) ? bytes.toString() : null
}
