import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { RelayError } from '../../core/errors.js'
import { COMPRESSED, compressed, isToBeCompressed } from './compression.js'
import type { CheckedMessage } from './message.js'
import type { Stored } from './wire.js'

/** Its route stands for all brokers that create topics with their first message. */
export const AUTO_CREATE_TOPIC = 'TBW102'
export const AUTO_CREATED_QUEUES = 4

const SEND_MESSAGE_V2 = 310
const SEND_BATCH_MESSAGE = 320

/** Bytes around body and properties of a message in a batch: five numbers before them, a short one between. */
const NUMBERS_BYTES = 20
const LENGTH_BYTES = 2
const BODY_LENGTH_AT = 16
/** Of the properties of a message; Java's largest short number. */
const MOST_PROPERTY_BYTES = 0x7fff

/** Answers after which the message is stored, by their code. */
const STORED: Readonly<Record<number, string | undefined>> = {
  0: 'SEND_OK',
  10: 'FLUSH_DISK_TIMEOUT',
  11: 'SLAVE_NOT_AVAILABLE',
  12: 'FLUSH_SLAVE_TIMEOUT',
}

/** The request that has the broker append the messages to one queue, all of them or none. */
export async function sendCommand(
  messages: readonly CheckedMessage[],
  to: { producerGroup: string; topic: string; queueId: number; compressOverBytes: number },
): Promise<RemotingCommand> {
  const [only, ...more] = messages
  if (only === undefined) throw new RelayError('INTERNAL', 'nothing to send')
  const isBatch = more.length > 0
  const isCompressed = isToBeCompressed(only.body, to.compressOverBytes)
  const bodies = isCompressed
    ? await Promise.all(messages.map(({ body }) => compressed(body)))
    : messages.map(({ body }) => body)
  // The short names are those of the protocol; in a batch each message carries its own properties.
  const command = RemotingCommand.createRequestCommand(isBatch ? SEND_BATCH_MESSAGE : SEND_MESSAGE_V2, {
    a: to.producerGroup,
    b: to.topic,
    c: AUTO_CREATE_TOPIC,
    d: AUTO_CREATED_QUEUES,
    e: to.queueId,
    f: isCompressed ? COMPRESSED : 0, // sysFlag
    g: Date.now(), // bornTimestamp
    h: 0, // flag
    i: isBatch ? '' : encodeProperties(only),
    j: 0, // reconsumeTimes
    k: false, // unitMode
    m: isBatch,
  })
  const parts = messages.map((message, index) => ({ message, body: bodies[index] ?? message.body }))
  command.body = isBatch ? Buffer.concat(parts.map(encodeInBatch)) : (bodies[0] ?? null)
  return command
}

/** @throws Error of the form ali-ons gives refusals */
export function storedOf(answer: RemotingCommand, count: number): Stored[] {
  const status = STORED[answer.code]
  if (status === undefined) {
    throw Object.assign(new Error(answer.remark), { name: 'MQClientException', code: answer.code })
  }
  const { queueId, queueOffset = '' } = answer.extFields
  const offset = BigInt(queueOffset)
  return Array.from({ length: count }, (_, index) => ({
    queueId: Number(queueId),
    queueOffset: String(offset + BigInt(index)),
    ...(status !== 'SEND_OK' && { warning: `the broker reports ${status}` }),
  }))
}

function encodeInBatch({ message, body }: { message: CheckedMessage; body: Buffer }): Buffer {
  const properties = encodeProperties(message)
  const propertyBytes = Buffer.byteLength(properties)
  if (propertyBytes > MOST_PROPERTY_BYTES) {
    throw new RelayError('BROKER_REFUSED', `message ${message.id} has ${propertyBytes} bytes of properties`)
  }
  const bodyEnd = NUMBERS_BYTES + body.length
  const encoded = Buffer.allocUnsafe(bodyEnd + LENGTH_BYTES + propertyBytes)
  // Magic code, checksum and flag stay 0: the broker sets its own.
  encoded.fill(0, 0, NUMBERS_BYTES)
  encoded.writeInt32BE(encoded.length)
  encoded.writeInt32BE(body.length, BODY_LENGTH_AT)
  body.copy(encoded, NUMBERS_BYTES)
  encoded.writeInt16BE(propertyBytes, bodyEnd)
  encoded.write(properties, bodyEnd + LENGTH_BYTES)
  return encoded
}

function encodeProperties(message: CheckedMessage): string {
  const { properties, id, tag, keys, delayLevel, deliverAt, messageGroup } = message
  let text = ''
  for (const name in properties) text += encodeProperty(name, properties[name])
  text += encodeProperty('UNIQ_KEY', id)
  if (tag !== undefined) text += encodeProperty('TAGS', tag)
  if (keys.length > 0) text += encodeProperty('KEYS', keys.join(' '))
  if (delayLevel !== undefined) text += encodeProperty('DELAY', delayLevel)
  if (deliverAt !== undefined) text += encodeProperty('TIMER_DELIVER_MS', deliverAt)
  if (messageGroup !== undefined) text += encodeProperty('__SHARDINGKEY', messageGroup)
  return text
}

function encodeProperty(name: string, value: string | number | undefined): string {
  return `${name}\u0001${value}\u0002`
}
