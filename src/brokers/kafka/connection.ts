import { RelayError, toRelayError } from '../../core/errors.js'
import type { BrokerConnection, ConnectionContext, OutboundMessage, Receipt } from '../broker.js'
import type { KafkaClients } from './client.js'
import { unanswered } from './errors.js'
import { type Acknowledgement, acknowledgement, UNACKNOWLEDGED } from './guarantees.js'
import { Identity } from './identity.js'
import { Lane, type LaneContext } from './lane.js'
import { Nodes } from './nodes.js'
import { partitionOfKey } from './partition.js'
import { Pending } from './pending.js'
import { inputFault, rejectTooLarge, unknownPartition } from './refusals.js'
import { Sender } from './sender.js'
import type { KafkaSettings } from './settings.js'
import { Topics } from './topics.js'

/** How often overdue messages are looked for. */
const SWEEP_MS = 100
/** Added to the budget for what happens around the requests. */
const SLACK_MS = 1000
/** Whether a message must be acknowledged, or is sent and forgotten. */
type Manner = 'acknowledged' | 'forgotten'

/** The way of one topic's messages to its lanes. */
interface Route {
  lanes: Record<Manner, Map<number, Lane>>
  /** Messages that came before the number of partitions was known. */
  unplaced: Pending[]
  /** Partition that takes messages without a key until its lane takes them. */
  spread: number
}

export class KafkaConnection implements BrokerConnection {
  readonly publishBudgetMs: number
  readonly maxMessagesPerSecond: number | undefined
  readonly #settings: KafkaSettings
  readonly #adapter: string
  readonly #clients: KafkaClients
  readonly #contexts: Record<Manner, LaneContext>
  readonly #topics: Topics
  readonly #pending = new Set<Pending>()
  readonly #routes = new Map<string, Route>()
  readonly #retryMs: number
  #sweep: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #onIdle: (() => void) | undefined

  constructor(settings: KafkaSettings, { adapter, log }: ConnectionContext, clients: KafkaClients) {
    const attemptMs = settings.connectionTimeoutMs + settings.requestTimeoutMs
    this.publishBudgetMs = settings.flush.intervalMs + attemptMs + settings.requestTimeoutMs + SLACK_MS
    this.maxMessagesPerSecond = settings.maxMessagesPerSecond
    this.#retryMs = this.publishBudgetMs - attemptMs
    this.#settings = settings
    this.#adapter = adapter
    this.#clients = clients
    const nodes = new Nodes(settings, clients)
    const identity = new Identity(nodes, settings.requestTimeoutMs)
    this.#topics = new Topics(settings, nodes)
    const contextOf = (given: Acknowledgement): LaneContext => ({
      ...{ settings, log, identity, topics: this.#topics, acknowledgement: given },
      senderTo: sendersTo(nodes, settings, given),
      isClosing: () => this.#closing !== undefined,
    })
    this.#contexts = {
      acknowledged: contextOf(acknowledgement(settings)),
      forgotten: contextOf(UNACKNOWLEDGED),
    }
  }

  publish(message: OutboundMessage): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const refusal = this.#closing ? this.#closed() : inputFault(message)
      if (refusal) return reject(refusal)
      const now = performance.now()
      const times = {
        since: now,
        deadline: now + this.publishBudgetMs - 2 * SWEEP_MS,
        retryUntil: now + this.#retryMs,
        flushAt: now + this.#settings.flush.intervalMs,
      }
      const pending = new Pending(message, times, this.#pending, resolve, reject)
      this.#sweep ??= setTimeout(() => this.#failOverdue(), SWEEP_MS)
      if (pending.bytes > this.#settings.maxMessageBytes)
        void rejectTooLarge(pending, this.#contexts.acknowledged)
      else this.#place(pending)
    })
  }

  check(): Promise<void> {
    return this.#topics.check()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #place(pending: Pending): void {
    const { topic, partition = 0 } = pending.message
    const route = this.#route(topic)
    const partitions = this.#topics.partitions(topic)
    if (partitions === undefined || route.unplaced.length > 0) {
      route.unplaced.push(pending)
      if (route.unplaced.length === 1) void this.#placeLater(topic, route, route.unplaced)
    } else if (partition >= partitions) {
      void this.#placeLater(topic, route, [pending])
    } else {
      this.#assign(pending, route, partitions)
    }
  }

  /** Places the messages that are in `waiting` by then, in their order, once the cluster has named its partitions. */
  async #placeLater(topic: string, route: Route, waiting: Pending[]): Promise<void> {
    try {
      const partitions = await this.#topics.lookup(topic)
      for (const pending of waiting.splice(0)) this.#assign(pending, route, partitions)
    } catch (error) {
      const reason = toRelayError(error)
      for (const pending of waiting.splice(0)) pending.fail(reason)
      const { acknowledged, forgotten } = route.lanes
      if (!reason.retryable && acknowledged.size + forgotten.size === 0) this.#routes.delete(topic)
    }
  }

  #assign(pending: Pending, route: Route, partitions: number): void {
    const {
      topic,
      key,
      partition = key == null ? route.spread % partitions : partitionOfKey(key, partitions),
      deliverySemantic = this.#settings.deliverySemantic,
    } = pending.message
    const manner = deliverySemantic === 'none' ? 'forgotten' : 'acknowledged'
    if (partition < partitions) this.#lane(topic, route, manner, partition).push(pending)
    else pending.fail(unknownPartition(topic, partition, partitions))
  }

  #route(topic: string): Route {
    let route = this.#routes.get(topic)
    if (!route) {
      route = {
        lanes: { acknowledged: new Map(), forgotten: new Map() },
        unplaced: [],
        spread: Math.floor(Math.random() * 1024),
      }
      this.#routes.set(topic, route)
    }
    return route
  }

  #lane(topic: string, route: Route, manner: Manner, partition: number): Lane {
    const lanes = route.lanes[manner]
    let lane = lanes.get(partition)
    if (!lane) {
      lane = new Lane(topic, partition, this.#contexts[manner], () => {
        const partitions = this.#topics.partitions(topic) ?? 1
        if (route.spread % partitions === partition) route.spread = (partition + 1) % partitions
      })
      lanes.set(partition, lane)
    }
    return lane
  }

  #failOverdue(): void {
    const now = performance.now()
    for (const pending of this.#pending) {
      // In order of their deadlines, as all have the same time.
      if (pending.deadline > now) break
      const doing = `publishing to topic ${pending.message.topic} for ${this.publishBudgetMs} ms`
      pending.fail(unanswered(doing, this.#settings.bootstrapServers))
    }
    if (this.#pending.size > 0) {
      this.#sweep?.refresh()
    } else {
      this.#sweep = undefined
      this.#onIdle?.()
    }
  }

  async #close(): Promise<void> {
    for (const { lanes } of this.#routes.values()) {
      for (const lane of [...lanes.acknowledged.values(), ...lanes.forgotten.values()]) lane.flush()
    }
    if (this.#sweep) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    await this.#clients.close()
  }

  #closed(): RelayError {
    return new RelayError('BROKER_UNREACHABLE', `the connection of adapter ${this.#adapter} is closed`)
  }
}

/** One sender to each broker, made when first needed. */
function sendersTo(
  nodes: Nodes,
  settings: KafkaSettings,
  { acks }: Acknowledgement,
): (nodeId: number) => Sender {
  const senders = new Map<number, Sender>()
  return (nodeId) => {
    let sender = senders.get(nodeId)
    if (!sender) {
      sender = new Sender(settings, acks, () => nodes.node(nodeId))
      senders.set(nodeId, sender)
    }
    return sender
  }
}
