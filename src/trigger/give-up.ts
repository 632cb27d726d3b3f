import { v7 as uuidv7 } from 'uuid'
import type { Adapter } from '../adapters/adapter.js'
import type { OutboundMessage } from '../brokers/broker.js'
import type { RegisteredDriver } from '../brokers/registry.js'
import type { InboundMessage } from '../brokers/subscription.js'
import { textOrBase64 } from '../core/base64.js'
import type { RelayError } from '../core/errors.js'
import { storable } from '../db/storable.js'
import type { DeadLetter, DeadLetterStage, StoredHeader } from './dead-letter.js'
import { onwardMessage } from './onward-message.js'
import type { Trigger } from './trigger.js'

/** Why a message is given up, and by whom. */
export interface GivenUp {
  trigger: Pick<Trigger, 'id' | 'name' | 'action'>
  /** The one that is listened to. */
  adapter: Pick<Adapter, 'id' | 'name'>
  requestId: string
  stage: DeadLetterStage
  error: RelayError
}

/** A dead letter as the transaction of its record writes it. */
export type NewDeadLetter = Omit<DeadLetter, 'at' | 'state' | 'resolvedAt' | 'resolvedBy' | 'resolvedNote'>

const MAX_ERROR_TEXT = 6000
const MAX_HEADER_TEXT = 1000
/** Times that Postgres and ISO 8601 texts of four digits a year can hold; some producers send nanoseconds. */
const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** All of the message, in forms that Postgres takes whatever bytes it has. */
export function deadLetterOf(message: InboundMessage, givenUp: GivenUp): NewDeadLetter {
  const { trigger, adapter, requestId, stage, error } = givenUp
  const { topic, id, queue, offset, attempt, key, value, headers, tag, keys, messageGroup } = message
  return {
    id: uuidv7(),
    triggerId: trigger.id,
    triggerName: trigger.name,
    adapterId: adapter.id,
    adapterName: adapter.name,
    requestId: storable(requestId),
    topic,
    partition: queue.partition,
    broker: queue.broker ?? null,
    offset,
    messageId: storable(id),
    messageAt: messageTime(message),
    key,
    value,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, header]) => [storable(name), [header].flat().map(storedHeader)]),
    ),
    tag: tag === undefined ? null : storable(tag),
    keys: keys?.map(storable) ?? null,
    messageGroup: messageGroup === undefined ? null : storable(messageGroup),
    attempts: attempt,
    stage,
    errorCode: error.code,
    errorText: errorTextOf(error),
  }
}

/** As letters have it. */
export function errorTextOf({ message }: RelayError): string {
  return storable(message.slice(0, MAX_ERROR_TEXT))
}

/** When it was published, as tables have it; times that no calendar has become the nearest that one has. */
export function messageTime({ timestamp }: Pick<InboundMessage, 'timestamp'>): Date {
  return new Date(Math.min(Math.max(timestamp, FIRST_MS), LAST_MS))
}

function storedHeader(header: string | Buffer): StoredHeader {
  const stored = textOrBase64(Buffer.from(header))
  return typeof stored === 'string' && stored.includes('\0')
    ? { base64: Buffer.from(stored).toString('base64') }
    : stored
}

/**
 * What goes to the dead-letter topic: the same message, with the headers by which Kafka Connect tells why. `class.name`
 * is what the trigger does, `exception.class.name` the error code.
 * @param worker its name, as `task.id`
 * @param inputs of the broker it goes to
 */
export function deadLetterMessage(
  message: InboundMessage,
  { trigger, requestId, stage, error }: GivenUp,
  { topic, worker, inputs }: { topic: string; worker: string; inputs: RegisteredDriver['inputs'] },
): OutboundMessage {
  const reasons = {
    topic: message.topic,
    partition: String(message.queue.partition),
    offset: message.offset,
    'connector.name': trigger.name,
    'task.id': worker,
    stage,
    'class.name': trigger.action.kind,
    'exception.class.name': error.code,
    // A property of RocketMQ holds no line breaks and the like.
    'exception.message': error.message.slice(0, MAX_HEADER_TEXT).replaceAll(/[\p{Cc}\s]+/gu, ' '),
  }
  const headers = Object.fromEntries(
    Object.entries(reasons).map(([name, text]) => [`__connect.errors.${name}`, text]),
  )
  // A topic that takes messages of groups takes no others: a dead-letter topic is none of them.
  return onwardMessage({ ...message, messageGroup: undefined }, { topic, requestId, headers }, inputs)
}
