import type { TObject } from 'typebox'
import type { Log } from '../core/log.js'
import type { BrokerOperator } from './operator.js'
import type { MessageHandler, MessageOrder, Source, SourceLimits, Subscription } from './subscription.js'

/** A message ready to go: bytes, not values. Made by src/adapters/serialization. */
interface OutboundBase {
  topic: string
  /** Goes with the message as header or property `x-request-id`, and into every record of the call. */
  requestId: string
  /** `null`: no key. */
  value: Buffer | null
}

/** The sending half's view of a message for any broker; each driver reads the fields of its own kind. */
export interface OutboundMessage extends OutboundBase {
  /** Kafka record key. */
  key?: Buffer | null | undefined
  /** Kafka headers or RocketMQ user properties. A list means several headers of the same name (Kafka only). */
  headers: Record<string, HeaderValue>
  /** Kafka: explicit partition; wins over the key. */
  partition?: number | undefined
  /** Kafka: record timestamp, milliseconds since 1970. */
  timestamp?: number | undefined
  /** Kafka: instead of what the adapter says. */
  deliverySemantic?: DeliverySemantic | undefined
  /** RocketMQ: tag to filter by. */
  tag?: string | undefined
  /** RocketMQ: message keys, for look-up by key. */
  keys?: string[] | undefined
  /** RocketMQ: delay level 1–18 of the broker's table. */
  delayLevel?: number | undefined
  /** RocketMQ: exact delivery time, milliseconds since 1970. */
  deliverAt?: number | undefined
  /** RocketMQ: messages of one group keep their order. */
  messageGroup?: string | undefined
  /** RocketMQ: producer group to send under. */
  producerGroup?: string | undefined
}

/** `none`: sent and forgotten. */
export type DeliverySemantic = 'at-least-once' | 'none'

export type HeaderValue = string | Buffer | Array<string | Buffer>

/** Where the broker put a message. Offsets as decimal text: they are 64 bit. */
export type Receipt =
  | { kind: 'kafka'; topic: string; partition: number; offset: string | null; timestamp: string }
  | { kind: 'rocketmq'; topic: string; messageId: string; queueId: number | null; queueOffset: string | null }

/**
 * What a broker implements: one folder under src/brokers/, one line in registry.ts.
 * @typeParam Settings the parsed form of `settings`, with defaults filled in and every `@env(...)` resolved.
 */
export interface BrokerDriver<Settings = unknown> {
  kind: AdapterKind
  /** Job type of the service task, exactly. */
  taskType: string
  /** Inputs of the task this broker has a meaning for, besides adapterId, topic, message and requestId. */
  inputs: readonly MessageInput[]
  /** Whether a message without a value (a tombstone) exists here. */
  acceptsNull: boolean
  /**
   * JSON Schema of an adapter's settings, address aside; titles, defaults, units and descriptions drive validation,
   * help, form and docs. A string property marked `secret: true` is kept encrypted and never shown.
   */
  settings: TObject
  /**
   * Checks an address and settings together and fills in defaults.
   * @throws RelayError SETTINGS_INVALID naming the field, its value and the cure.
   */
  parse(address: string, settings: Record<string, unknown>): Settings
  /** Makes a connection object at once; the network is first touched by `check` or `publish`. */
  connect(settings: Settings, ctx: ConnectionContext): BrokerConnection
  /** As `connect`, for operators. Absent: there is nothing they could do from here. */
  operate?(settings: Settings, ctx: ConnectionContext): BrokerOperator
  /** Orders of a subscription that need nothing of the servers. Absent: all. */
  keptOrders?(settings: Settings): readonly MessageOrder[]
  /**
   * How much of a source would be handled at a time.
   * @throws RelayError naming what of it cannot be consumed under these settings, whatever the servers say
   */
  checkSource?(settings: Settings, source: Source): SourceLimits
  /**
   * Joins a consumer group; resolves once this is a member. Later outages heal by themselves.
   * @throws RelayError why it cannot be one: nothing is left behind, and it may be tried again if that is retryable
   */
  subscribe?(
    settings: Settings,
    source: Source,
    handle: MessageHandler,
    ctx: ConnectionContext,
  ): Promise<Subscription>
}

export interface ConnectionContext {
  /** The adapter's name, for messages to people. */
  adapter: string
  log: Log
}

/** Vocabulary of task inputs that end up in a message; src/publish/job-input.ts knows the rule of each. */
export type MessageInput =
  | 'key'
  | 'keys'
  | 'tag'
  | 'headers'
  | 'properties'
  | 'partition'
  | 'timestamp'
  | 'deliverySemantic'
  | 'delayLevel'
  | 'deliverAt'
  | 'messageGroup'
  | 'producerGroup'

/** Name of a kind of broker, e.g. `kafka`; src/brokers/registry.ts knows them all. */
export type AdapterKind = string

export interface BrokerConnection {
  /** Longest time `publish` may take from its call to its end, milliseconds: its caller starts none with less time left. */
  readonly publishBudgetMs: number
  /** Rate limit of the adapter, kept by its caller; undefined: none. */
  readonly maxMessagesPerSecond?: number | undefined
  /**
   * Hands one message to the broker; resolves when the broker has acknowledged it. The driver itself joins
   * messages that are ready at the same moment into few sends: calling it for many messages at once is cheap.
   * @throws RelayError whose `outcome` says whether it was refused for good or may be tried again.
   */
  publish(message: OutboundMessage): Promise<Receipt>
  /** "Test connection": connects, authenticates and asks the broker something. Throws the broker's own reason. */
  check(): Promise<void>
  /** Waits for sends in flight within their budget, then frees everything. May be called twice. */
  close(): Promise<void>
}
