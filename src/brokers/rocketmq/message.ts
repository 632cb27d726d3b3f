import { RelayError } from '../../core/errors.js'
import type { OutboundMessage } from '../broker.js'
import type { Protocol, RocketmqSettings } from './settings.js'

/** A message that may be sent under these settings, and its id, which all attempts share. */
export interface CheckedMessage {
  id: string
  topic: string
  body: Buffer
  properties: Record<string, string>
  tag: string | undefined
  keys: string[]
  delayLevel: number | undefined
  /** Milliseconds since 1970. */
  deliverAt: number | undefined
  messageGroup: string | undefined
  producerGroup: string
}

const TOPIC_NAME = /^[%|a-zA-Z0-9_-]{1,127}$/
const DELAY_LEVELS = 18

/** Bytes that RocketMQ gives a meaning to, and so cannot be part of a property. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the remoting protocol separates properties by these two.
const SEPARATORS = /[\u0001\u0002]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: what the gRPC proxy refuses in properties.
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/

/** Names of properties with a meaning to RocketMQ itself. */
const RESERVED_PROPERTIES = new Set(
  (
    'KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET ' +
    'BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME MSG_REGION TRACE_ON UNIQ_KEY ' +
    'TRANS_OFFSET EXTEND_UNIQ_INFO MAX_RECONSUME_TIMES CONSUME_START_TIME _SYS_MSG_PRIORITY_ INNER_NUM INNER_BASE ' +
    'DUP_INFO CHECK_IMMUNITY_TIME_IN_SECONDS TRAN_PREPARED_QUEUE_OFFSET __transactionId__ TRANSACTION_CHECK_TIMES ' +
    'INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE POP_CK ' +
    'POP_CK_OFFSET 1ST_POP_TIME __SHARDINGKEY PROPERTY_FORWARD_QUEUE_ID REDIRECT INNER_MULTI_DISPATCH ' +
    'INNER_MULTI_QUEUE_OFFSET TRACE_CONTEXT TIMER_DELAY_SEC TIMER_DELIVER_MS __BORNHOST BORN_TIMESTAMP ' +
    'TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_ROLL_LABEL ' +
    'TIMER_DELAY_LEVEL TIMER_DELAY_MS __CRC32# DLQ_ORIGIN_TOPIC DLQ_ORIGIN_MESSAGE_ID'
  ).split(' '),
)

/** Whether RocketMQ itself gives the property a meaning, so that it is none of the user's. */
export function isReservedProperty(name: string): boolean {
  return RESERVED_PROPERTIES.has(name) || name.startsWith('__RMQ.')
}

/**
 * @throws RelayError NOT_SUPPORTED naming the field the protocol cannot carry; INPUT_INVALID, TOPIC_INVALID or
 * MESSAGE_TOO_LARGE naming what would be refused, or silently changed, by the broker.
 */
export function checkMessage(
  message: OutboundMessage,
  id: string,
  settings: RocketmqSettings,
): CheckedMessage {
  refuseOtherBrokersFields(message)
  const keys = message.keys ?? []
  checkTopic(message.topic)
  checkLabels(message.tag, keys)
  checkDelivery(message, settings)
  checkProperties(message.headers, settings.protocol)
  const { delayLevel, deliverAt } = delayOf(message, settings)
  return {
    id,
    topic: message.topic,
    body: checkedBody(message.value, settings.maxMessageBytes),
    properties: message.headers,
    tag: message.tag,
    keys,
    delayLevel,
    deliverAt,
    messageGroup: message.messageGroup,
    producerGroup: message.producerGroup ?? settings.producerGroup,
  }
}

function refuseOtherBrokersFields(message: OutboundMessage): void {
  if (message.key !== undefined && message.key !== null) {
    throw notSupported(
      'key belongs to Kafka: use keys to look messages up, or messageGroup to keep their order',
    )
  }
  if (message.partition !== undefined) {
    throw notSupported('partition belongs to Kafka: use messageGroup to keep messages in one queue')
  }
  if (message.timestamp !== undefined) {
    throw notSupported('timestamp belongs to Kafka: RocketMQ sets the time itself, send yours as a property')
  }
}

function checkTopic(topic: string): void {
  if (TOPIC_NAME.test(topic)) return
  throw new RelayError(
    'TOPIC_INVALID',
    `topic "${topic}" is not a RocketMQ topic name: use 1 to 127 of the characters a–z, A–Z, 0–9, _, -, % and |`,
  )
}

function checkedBody(value: Buffer | null, limit: number): Buffer {
  if (value === null) {
    throw notSupported(
      'message is null, and RocketMQ has no tombstones: send a value, or mark the message by a property',
    )
  }
  if (value.length === 0) {
    throw new RelayError(
      'INPUT_INVALID',
      'message is empty, and RocketMQ takes no empty body: send at least one byte',
    )
  }
  if (value.length > limit) {
    throw new RelayError(
      'MESSAGE_TOO_LARGE',
      `message has ${value.length} bytes, the limit is ${limit} (setting maxMessageBytes): send less, or raise it ` +
        'here and on the broker (maxMessageSize)',
    )
  }
  return value
}

function checkProperties(
  headers: OutboundMessage['headers'],
  protocol: Protocol,
): asserts headers is Record<string, string> {
  const forbidden = protocol === 'grpc' ? CONTROL_CHARACTERS : SEPARATORS
  for (const name in headers) {
    const value = headers[name]
    if (name === '') throw new RelayError('INPUT_INVALID', 'a property has an empty name: give it one')
    if (isReservedProperty(name)) {
      throw new RelayError('INPUT_INVALID', `property ${name} is reserved by RocketMQ: choose another name`)
    }
    if (typeof value !== 'string') {
      const what = Array.isArray(value) ? 'has several values' : 'is binary'
      throw notSupported(
        `property ${name} ${what}, and RocketMQ properties are one text each: join or encode it`,
      )
    }
    if (forbidden.test(name) || forbidden.test(value)) {
      throw new RelayError(
        'INPUT_INVALID',
        `property ${JSON.stringify(name)} holds a control character, which protocol "${protocol}" cannot carry: encode it`,
      )
    }
  }
}

function checkLabels(tag: string | undefined, keys: string[]): void {
  if (tag !== undefined && (tag.trim() === '' || tag.includes('|') || CONTROL_CHARACTERS.test(tag))) {
    throw new RelayError(
      'INPUT_INVALID',
      `tag ${JSON.stringify(tag)} cannot be subscribed to: use text without |`,
    )
  }
  for (const key of keys) {
    if (key !== '' && !/\s/.test(key) && !CONTROL_CHARACTERS.test(key)) continue
    throw new RelayError(
      'INPUT_INVALID',
      `keys holds ${JSON.stringify(key)}: RocketMQ separates keys by spaces, so use keys without white space`,
    )
  }
}

/** The proxy takes times alone, so that over gRPC a level is the time it stands for. */
function delayOf({ delayLevel, deliverAt }: OutboundMessage, { protocol, delayLevels }: RocketmqSettings) {
  if (protocol === 'remoting' || delayLevel === undefined) return { delayLevel, deliverAt }
  return { delayLevel: undefined, deliverAt: Date.now() + Number(delayLevels[delayLevel - 1]) }
}

function checkDelivery(message: OutboundMessage, { protocol, delayLevels }: RocketmqSettings): void {
  const { delayLevel, deliverAt, messageGroup, producerGroup } = message
  const levels = protocol === 'grpc' ? Math.min(DELAY_LEVELS, delayLevels.length) : DELAY_LEVELS
  if (delayLevel !== undefined && deliverAt !== undefined) {
    throw new RelayError('INPUT_INVALID', 'delayLevel and deliverAt are both set: use one of them')
  }
  if (messageGroup !== undefined && (delayLevel ?? deliverAt) !== undefined) {
    const field = delayLevel === undefined ? 'deliverAt' : 'delayLevel'
    throw notSupported(
      `messageGroup and ${field} are both set: a delayed message cannot keep its order, use one`,
    )
  }
  if (
    delayLevel !== undefined &&
    !(Number.isInteger(delayLevel) && delayLevel >= 1 && delayLevel <= levels)
  ) {
    throw new RelayError(
      'INPUT_INVALID',
      `delayLevel is ${delayLevel}: use a whole number from 1 to ${levels}`,
    )
  }
  if (deliverAt !== undefined && !(Number.isSafeInteger(deliverAt) && deliverAt > 0)) {
    throw new RelayError('INPUT_INVALID', `deliverAt is ${deliverAt}: use milliseconds since 1970`)
  }
  if (messageGroup !== undefined && (messageGroup.trim() === '' || CONTROL_CHARACTERS.test(messageGroup))) {
    throw new RelayError(
      'INPUT_INVALID',
      `messageGroup ${JSON.stringify(messageGroup)} is not a name: use printable text`,
    )
  }
  if (producerGroup !== undefined && protocol === 'grpc') {
    throw notSupported(
      `producerGroup is "${producerGroup}", and protocol "grpc" has no producer groups: leave it out`,
    )
  }
}

function notSupported(text: string): RelayError {
  return new RelayError('NOT_SUPPORTED', text)
}
