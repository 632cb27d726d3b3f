import { RelayError } from '../../core/errors.js'
import type { MessageQuery, MessageRecord } from '../operator.js'
import { messageId } from './consume/inbound.js'
import { bodyOf, decodeMessages, hostOf, type StoredMessage } from './consume/stored-message.js'
import { serverName } from './operator-names.js'
import type { Master, OperatorSession } from './operator-session.js'

const QUERY_MESSAGE = 12
const VIEW_MESSAGE = 33
const QUERY_NOT_FOUND = 22
const SYSTEM_ERROR = 1
/** Address, port and place in the broker's log, as hexadecimal digits; IPv4 or IPv6. */
const OFFSET_ID = /^(?:[0-9A-F]{32}|[0-9A-F]{56})$/i
const LOG_OFFSET_DIGITS = 16
/** Brokers themselves give at most so many for a key. */
export const MOST_BY_KEY = 64
const END_OF_TIME = Number.MAX_SAFE_INTEGER

/** A message and the broker it is on. */
export type Found = [broker: string, message: StoredMessage]

/** All copies of the message with this id, one where the id names its place. @throws RelayError NOT_FOUND */
export async function findById(
  session: OperatorSession,
  masters: Master[],
  topic: string,
  id: string,
): Promise<Found[]> {
  const placed = await atPlace(session, masters, topic, id)
  if (placed) return [placed]
  const name = serverName(topic, session.settings)
  const found = await query(session, masters, topic, {
    ...{ key: id, maxNum: MOST_BY_KEY, beginTimestamp: 0, endTimestamp: END_OF_TIME },
    _UNIQUE_KEY_QUERY: 'true',
  })
  const copies = found.filter(
    ([, message]) => message.topic === name && message.properties.get('UNIQ_KEY') === id,
  )
  if (copies.length > 0) return copies
  throw new RelayError(
    'NOT_FOUND',
    `there is no message ${id} in topic ${topic} at RocketMQ ${session.nameServers}: use the messageId of its receipt; brokers ` +
      'find neither what they have deleted by age, nor anything with messageIndexEnable=false',
  )
}

/** Those with the key, at most `MOST_BY_KEY` of a broker, the newest. */
export async function findByKey(
  session: OperatorSession,
  masters: Master[],
  { topic, key, since, until, max }: MessageQuery & { key: string },
): Promise<Found[]> {
  const name = serverName(topic, session.settings)
  const found = await query(session, masters, topic, {
    key,
    maxNum: Math.min(max, MOST_BY_KEY),
    beginTimestamp: since ?? 0,
    endTimestamp: until === undefined ? END_OF_TIME : until - 1,
  })
  // Their index knows hashes of keys only.
  return found.filter(
    ([, { topic: where, properties }]) =>
      where === name && (properties.get('KEYS') ?? '').split(' ').includes(key),
  )
}

export async function recordOf(topic: string, [broker, message]: Found): Promise<MessageRecord> {
  const { queueId, offset, offsetId, storedAt, bornAt, bornHost, attempt, properties } = message
  const { UNIQ_KEY: _id, TAGS: tag, KEYS: keys, ...others } = Object.fromEntries(properties)
  return {
    topic,
    messageId: messageId(message),
    offsetMessageId: offsetId,
    broker,
    queue: queueId,
    offset: String(offset),
    storedAt,
    bornAt,
    bornHost,
    reconsumeTimes: attempt - 1,
    tag: tag ?? null,
    keys: keys === undefined ? [] : keys.split(' '),
    properties: others,
    value: await bodyOf(message),
  }
}

/** The message at the place that the id names; undefined: it names none of these brokers, or there is none. */
async function atPlace(
  session: OperatorSession,
  masters: Master[],
  topic: string,
  id: string,
): Promise<Found | undefined> {
  if (!OFFSET_ID.test(id)) return undefined
  const host = hostOf(Buffer.from(id.slice(0, -LOG_OFFSET_DIGITS), 'hex'))
  const master = masters.find(({ address }) => address === host)
  if (!master) return undefined
  const logOffset = BigInt(`0x${id.slice(-LOG_OFFSET_DIGITS)}`)
  const name = serverName(topic, session.settings)
  const header = { topic: name, offset: String(logOffset) }
  const answer = await session.try(master.address, VIEW_MESSAGE, header, session.limitMs)
  if (answer.code === SYSTEM_ERROR) return undefined
  const purpose = { doing: `looking up message ${id}`, topic }
  if (answer.code !== 0) throw session.refusal(answer, master.address, purpose)
  const message = messageIn(answer.body)
  // Brokers give out whatever bytes there are.
  if (message?.logOffset !== logOffset || message.topic !== name) return undefined
  return [master.broker, message]
}

function messageIn(bytes: Buffer | null | undefined): StoredMessage | undefined {
  try {
    return decodeMessages(bytes ?? Buffer.alloc(0))[0]
  } catch {
    return undefined
  }
}

async function query(
  session: OperatorSession,
  masters: Master[],
  topic: string,
  header: Record<string, string | number>,
): Promise<Found[]> {
  const purpose = { doing: `looking up messages of topic ${topic}`, topic }
  const found: Found[] = []
  for (const { broker, address } of masters) {
    const request = { topic: serverName(topic, session.settings), ...header }
    const answer = await session.try(address, QUERY_MESSAGE, request, session.limitMs)
    if (answer.code === QUERY_NOT_FOUND) continue
    if (answer.code !== 0) throw session.refusal(answer, address, purpose)
    for (const message of decodeMessages(answer.body ?? Buffer.alloc(0))) found.push([broker, message])
  }
  return found
}
