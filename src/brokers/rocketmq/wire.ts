import type { CheckedMessage } from './message.js'

/** Where one message may go. */
export interface Queue {
  broker: string
  id: number
  /** `host:port` that takes messages for this queue. */
  address: string
}

export interface Route<Q extends Queue> {
  /** Writable queues, sorted by broker and id; never empty. */
  queues: Q[]
  /** The topic does not exist yet: the queues are those a broker will give it with its first message. */
  provisional: boolean
}

export interface Stored {
  /** `null`: the protocol does not tell. */
  queueId: number | null
  /** `null`: likewise. */
  queueOffset: string | null
  /** The message is stored, but less safely than the broker is set up for. */
  warning?: string
}

/**
 * One protocol of RocketMQ: single requests, each ending within its time limit, none repeated.
 * Everything else (routes, queues, order, attempts) is decided above it, in connection.ts.
 */
export interface Wire<Q extends Queue> {
  /** How long its servers may not know a topic that is there already, milliseconds. */
  readonly topicLagMs: number
  /** @throws RelayError, TOPIC_UNKNOWN among others */
  route(topic: string, timeoutMs: number): Promise<Route<Q>>
  /**
   * Messages of a topic with the same answer may travel in one send; undefined: this one travels alone.
   * @param queue of a message with a message group
   */
  company(message: CheckedMessage, queue: Q | undefined): string | undefined
  /**
   * One request; the broker takes all messages, in their order, or none.
   * @throws RelayError
   */
  send(messages: readonly CheckedMessage[], queue: Q, timeoutMs: number): Promise<Stored[]>
  /** Proves that the servers can be reached and accept the credentials. @throws RelayError */
  check(timeoutMs: number): Promise<void>
  /** Called once, when nothing is in flight any more. */
  close(): Promise<void>
}

export function byBrokerAndId(a: Queue, b: Queue): number {
  return a.broker === b.broker ? a.id - b.id : a.broker < b.broker ? -1 : 1
}
