import type { InboundMessage } from '../../subscription.js'
import { isReservedProperty } from '../message.js'
import { bodyOf, type StoredMessage } from './stored-message.js'

const RETRY_PREFIX = '%RETRY%'
const DEAD_LETTER_PREFIX = '%DLQ%'

/** Where brokers put the messages that a group sent back; the group as the server spells it. */
export function retryTopic(group: string): string {
  return `${RETRY_PREFIX}${group}`
}

export function deadLetterTopic(group: string): string {
  return `${DEAD_LETTER_PREFIX}${group}`
}

/** @throws when its body cannot be decompressed */
export async function inboundMessage(
  message: StoredMessage,
  broker: string,
  namespace: string | undefined,
): Promise<InboundMessage> {
  const { properties, offset, attempt, bornAt } = message
  const headers: Record<string, string> = {}
  for (const [name, value] of properties) if (!isReservedProperty(name)) headers[name] = value
  return {
    topic: withoutNamespace(publishedTopic(message), namespace),
    id: messageId(message),
    queue: { topic: withoutNamespace(message.topic, namespace), broker, partition: message.queueId },
    offset: String(offset),
    timestamp: bornAt,
    attempt,
    key: null,
    value: await bodyOf(message),
    headers,
    tag: properties.get('TAGS'),
    keys: properties.get('KEYS')?.split(' '),
    messageGroup: messageGroup(message),
  }
}

/** The id its receipt has, or for want of one (very old senders) that of its first copy. */
export function messageId({ properties, offsetId }: StoredMessage): string {
  return properties.get('UNIQ_KEY') ?? properties.get('ORIGIN_MESSAGE_ID') ?? offsetId
}

export function messageGroup({ properties }: StoredMessage): string | undefined {
  return properties.get('__SHARDINGKEY')
}

export function withoutNamespace(name: string, namespace: string | undefined): string {
  const prefix = `${namespace}%`
  return namespace !== undefined && name.startsWith(prefix) ? name.slice(prefix.length) : name
}

/** Of a message that was sent back the topic it had at first. */
function publishedTopic({ topic, properties }: StoredMessage): string {
  return topic.startsWith(RETRY_PREFIX) ? (properties.get('RETRY_TOPIC') ?? topic) : topic
}
