import type { StartPosition } from '../brokers/operator.js'
import type { MessageFilter, MessageOrder } from '../brokers/subscription.js'

/** What a trigger does with a message. Expressions are FEEL over the message: see `docs/triggers.md`. */
export type TriggerAction =
  /** Starts an instance of a process; version null: the newest there is then. */
  | { kind: 'start'; processId: string; version: number | null }
  /** Correlates a BPMN message; `messageId` null: the id of the message at its broker. `ttlMs`: how long the engine keeps it for a process that comes to wait for it. */
  | { kind: 'message'; name: string; correlationKey: string; messageId: string | null; ttlMs: number }
  /** Publishes the same bytes through another adapter; topic null: the name of the topic it came from. */
  | { kind: 'forward'; adapterId: string; topic: string | null }

/**
 * When a message counts as consumed. `accepted`: once the engine (or the other broker) has taken it and that is
 * recorded. `completed`: once the started instance has ended. `received`: at once; what is in hand at a crash is lost.
 */
export type Acknowledge = 'accepted' | 'completed' | 'received'
export const ACKNOWLEDGE = ['accepted', 'completed', 'received'] as const satisfies Acknowledge[]

/** `running`: consumes. `paused`: stays a member of its group and takes nothing. `stopped`: leaves its group. */
export type TriggerState = 'running' | 'paused' | 'stopped'
export const TRIGGER_STATES = ['running', 'paused', 'stopped'] as const satisfies TriggerState[]

export const ON_UNDESERIALIZABLE = ['dead-letter', 'skip'] as const

/** A move of the offsets of the group; of all topics and partitions that are not named. */
export interface GroupMove {
  to: StartPosition
  topic?: string | undefined
  partitions?: number[] | undefined
}

/** What people set. */
export interface TriggerSettings {
  /** Unique. */
  name: string
  description: string
  /** Of the broker that is listened to. */
  adapterId: string
  /** Empty with a pattern. */
  topics: string[]
  /** Regular expression for whole names of topics; those made later are noticed. Null with topics. */
  topicPattern: string | null
  /** RocketMQ: of all topics. */
  filter: MessageFilter | null
  /** Consumer group. */
  group: string
  order: MessageOrder
  /** Messages handled at a time by one worker; null: what the adapter says. */
  concurrency: number | null
  action: TriggerAction
  /** FEEL: messages for which it is not true are passed over. */
  activationCondition: string | null
  /** FEEL: the variables of the instance or BPMN message. Null: `payload` and `attribute`. */
  variables: string | null
  acknowledge: Acknowledge
  /** With `completed`: afterwards the message is a dead letter. */
  completionTimeoutMs: number | null
  /** Where a partition begins of which the group has no offset, or one out of range. */
  initialOffset: 'latest' | 'earliest'
  onUndeserializable: (typeof ON_UNDESERIALIZABLE)[number]
  /** Of one message, before it is a dead letter. An engine or database that is away costs none. */
  maxAttempts: number
  /** Before the second attempt; doubles with each. */
  retryBackOffMs: number
  retryBackOffMaxMs: number
  /** Dead letters are also sent there; null: only kept in Postgres. */
  deadLetterTopic: string | null
  /** Null: the adapter of the trigger. */
  deadLetterAdapterId: string | null
  state: TriggerState
}

export interface Trigger extends TriggerSettings {
  id: string
  /** Still to be made, in order, before anybody consumes. */
  pendingMoves: GroupMove[]
  /** Kept by `bpmn-relay apply`. */
  managed: boolean
  /** Grows with every change. */
  revision: number
  createdAt: Date
  updatedAt: Date
}
