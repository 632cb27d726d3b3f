import type { Endpoints, MessageQueue } from 'rocketmq-client-nodejs'
import definition, { type Message } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js'
import type { InboundMessage } from '../../subscription.js'
import { isReservedProperty } from '../message.js'
import { withoutNamespace } from './inbound.js'
import { decompress, type KnownCompression } from './stored-message.js'

const { Encoding } = definition

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
  rawBody: Buffer
  isCompressed: boolean
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
    rawBody: Buffer.from(message.getBody_asU8()),
    isCompressed: system?.getBodyEncoding() === Encoding.GZIP,
    headers: Object.fromEntries(
      [...message.getUserPropertiesMap().entries()].filter(([name]) => !isReservedProperty(name)),
    ),
    tag: system?.hasTag() ? system.getTag() : undefined,
    keys: system?.getKeysList() ?? [],
    messageGroup: system?.hasMessageGroup() ? system.getMessageGroup() : undefined,
  }
}

/** @throws when its body cannot be decompressed */
export async function inboundFromProxy(
  message: ReceivedMessage,
  namespace: string | undefined,
): Promise<InboundMessage> {
  const { id, broker, partition, queueOffset, bornAt, attempt, headers, tag, keys, messageGroup } = message
  const topic = withoutNamespace(message.topic, namespace)
  return {
    topic,
    id,
    queue: { topic, broker, partition },
    offset: queueOffset,
    timestamp: bornAt,
    attempt,
    key: null,
    value: message.isCompressed
      ? await decompress(message.rawBody, compressionOf(message.rawBody))
      : message.rawBody,
    headers,
    tag,
    keys: keys.length > 0 ? keys : undefined,
    messageGroup,
  }
}

/** Proxies call every compression GZIP and pass the bytes on as they are. */
function compressionOf(body: Buffer): KnownCompression {
  if (body.subarray(0, 4).equals(LZ4_FRAME)) return 'lz4'
  if (body.subarray(0, 4).equals(ZSTD_FRAME)) return 'zstd'
  return 'zlib'
}

const LZ4_FRAME = Buffer.from([0x04, 0x22, 0x4d, 0x18])
const ZSTD_FRAME = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])
