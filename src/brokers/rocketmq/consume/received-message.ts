import type { Endpoints, MessageQueue } from 'rocketmq-client-nodejs'
import type { Message } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js'
import type { InboundMessage } from '../../subscription.js'
import { withoutNamespace } from './inbound.js'

/** A message as a proxy hands it out. */
export interface ReceivedMessage {
  /** As the server spells it. */
  topic: string
  id: string
  broker: string
  partition: number
  /** In its queue. */
  queueOffset: string
  /** By which it is acknowledged, at the proxy it came from. */
  receiptHandle: string
  endpoints: Endpoints
  /** Milliseconds since 1970. */
  bornAt: number
  attempt: number
  body: Buffer
  headers: Record<string, string>
  tag: string | undefined
  keys: string[]
  messageGroup: string | undefined
}

export function receivedMessage(message: Message, queue: MessageQueue): ReceivedMessage {
  const system = message.getSystemProperties()
  return {
    topic: message.getTopic()?.getName() ?? '',
    id: system?.getMessageId() ?? '',
    broker: queue.broker.name,
    partition: system?.getQueueId() ?? 0,
    queueOffset: String(system?.getQueueOffset() ?? 0),
    receiptHandle: system?.getReceiptHandle() ?? '',
    endpoints: queue.broker.endpoints,
    bornAt: system?.getBornTimestamp()?.toDate().getTime() ?? 0,
    attempt: system?.getDeliveryAttempt() ?? 1,
    // Proxies decompress bodies, and yet call them compressed.
    body: Buffer.from(message.getBody_asU8()),
    headers: Object.fromEntries(message.getUserPropertiesMap().entries()),
    tag: system?.hasTag() ? system.getTag() : undefined,
    keys: system?.getKeysList() ?? [],
    messageGroup: system?.hasMessageGroup() ? system.getMessageGroup() : undefined,
  }
}

export function inboundFromProxy(message: ReceivedMessage, namespace: string | undefined): InboundMessage {
  const { id, broker, partition, queueOffset, bornAt, attempt, body, headers, tag, keys, messageGroup } =
    message
  const topic = withoutNamespace(message.topic, namespace)
  return {
    topic,
    id,
    queue: { topic, broker, partition },
    offset: queueOffset,
    timestamp: bornAt,
    attempt,
    key: null,
    value: body,
    headers,
    tag,
    keys: keys.length > 0 ? keys : undefined,
    messageGroup,
  }
}
