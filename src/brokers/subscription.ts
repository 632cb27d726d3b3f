import type { RelayError } from '../core/errors.js'
import type { HeaderValue } from './broker.js'
import type { StartPosition } from './operator.js'

/** What to consume, and how. A driver refuses by name what its broker or protocol cannot do. */
export interface Source {
  /** Consumer group: its members share the messages, and its offsets outlive them. */
  group: string
  /** At least one. */
  topics: readonly TopicSelection[]
  /** Default: `clustering`. */
  mode?: ConsumeMode | undefined
  /** Default: `none`. */
  order?: MessageOrder | undefined
  /**
   * Where a queue begins of which the group has no offset yet, or one that the queue no longer has. Never heeded
   * otherwise: see `seek`. Default: what the adapter says.
   */
  from?: InitialPosition | undefined
  /** Handlers at a time, over all queues. Default: what the adapter says. */
  concurrency?: number | undefined
  /** Messages given to one handler at most. Default: what the adapter says. */
  batchSize?: number | undefined
  /**
   * How often a message whose handler rejects comes again before it is given up; `Infinity`: no limit. Default: what the
   * adapter says; Kafka: no limit, and none to be had, as it has no place of its own for what is given up.
   */
  maxRedeliveries?: number | undefined
  /**
   * Milliseconds before a message that stays here is handed over again, by the attempt that failed, from 1. What goes
   * back to a broker with delay levels of its own (RocketMQ, no order) takes these. Default: Kafka 100 ms, doubling
   * to 30 s; RocketMQ 1 s.
   */
  redeliveryDelayMs?: ((attempt: number) => number) | undefined
}

/** Of a source, as it says or else as the adapter does. */
export interface SourceLimits {
  concurrency: number
  batchSize: number
}

export interface TopicSelection {
  topic: string
  /** Default: all messages. */
  filter?: MessageFilter | undefined
}

/** RocketMQ: by tag (any of these), or by an SQL92 expression over the properties. */
export type MessageFilter = { tags: string[] } | { sql: string }

/**
 * `clustering`: each message goes to one member of the group, whose offsets the broker keeps.
 * `broadcasting`: each goes to every member; nothing is kept, so that every start begins at `from`.
 */
export type ConsumeMode = 'clustering' | 'broadcasting'

/**
 * What is handled one after the other, in the order of the queue, a repetition included: nothing, the messages that
 * share a key (Kafka) or message group (RocketMQ), or all messages of a queue.
 */
export type MessageOrder = 'none' | 'key' | 'queue'
export const MESSAGE_ORDERS = ['none', 'key', 'queue'] as const satisfies MessageOrder[]

export type InitialPosition = Exclude<StartPosition, { at: 'offset' }>

/**
 * Gets one or more messages of one queue, in order. Once it resolves they count as consumed. When it rejects, all of
 * them come again in the way of the broker, and with an order to keep, nothing that must wait for them overtakes.
 * `isGivenUp` is aborted when the queue goes to another member, which gets them too: however it ends here, it counts for
 * nothing, and what was not begun with is best left alone.
 */
export type MessageHandler = (messages: readonly InboundMessage[], isGivenUp: AbortSignal) => Promise<void>

/** A Kafka partition or a RocketMQ queue. */
export interface QueueId {
  topic: string
  partition: number
  /** RocketMQ: the broker it is on, as each counts its own queues. */
  broker?: string | undefined
}

/** The receiving half's view of a message of any broker; each driver fills in the fields of its own kind. */
export interface InboundMessage {
  /** It was published to; of a repetition, too. */
  topic: string
  /** The same whenever this message is delivered. Kafka: topic-partition-offset; RocketMQ: the message id. */
  id: string
  /** Where this delivery comes from: a repetition may lie in another queue than the first. */
  queue: QueueId
  /** Decimal text: it is 64 bit. */
  offset: string
  /** When it was published, milliseconds since 1970. */
  timestamp: number
  /** 1 at first. */
  attempt: number
  /** Kafka record key. */
  key: Buffer | null
  /** `null`: a tombstone (Kafka). */
  value: Buffer | null
  /** Kafka headers, texts where their bytes are UTF-8, or RocketMQ user properties. */
  headers: Record<string, HeaderValue>
  /** RocketMQ. */
  tag?: string | undefined
  /** RocketMQ. */
  keys?: string[] | undefined
  /** RocketMQ. */
  messageGroup?: string | undefined
}

/** A membership in a consumer group. Outages heal by themselves; `status` tells of them meanwhile. */
export interface Subscription {
  /** No further handler starts, for all queues or the given ones; those under way go on. */
  pause(queues?: readonly QueueId[]): void
  resume(queues?: readonly QueueId[]): void
  /**
   * Goes on elsewhere in those of the given queues (default: all) that this member holds now, and commits that.
   * What is being handled counts for nothing any more. Resolves to the queues moved.
   * @throws RelayError
   */
  seek(to: StartPosition, queues?: readonly QueueId[]): Promise<QueueId[]>
  /** Of every queue that this member holds. @throws RelayError */
  positions(): Promise<QueuePosition[]>
  status(): SubscriptionStatus
  /**
   * No further handler starts; waits for those under way, at most `CLOSE_BUDGET_MS`, commits what is consumed and
   * leaves the group. May be called twice; never rejects.
   */
  close(): Promise<void>
}

export const CLOSE_BUDGET_MS = 10_000

export interface QueuePosition extends QueueId {
  /** Of the first message not consumed yet. */
  offset: string
  /** Of the next message to be written. */
  end: string
  lag: string
  paused: boolean
}

export interface SubscriptionStatus {
  /** Why nothing, or not everything, can be consumed just now. */
  error: RelayError | undefined
  /** When a broker last answered a request for messages, milliseconds since 1970. */
  lastPollAt: number | undefined
  /** Handlers under way. */
  handling: number
}
