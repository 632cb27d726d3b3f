import { RelayError } from '../core/errors.js'
import type { AdapterKind, HeaderValue } from './broker.js'

/**
 * What operators do through an adapter. A driver implements what its broker knows; the rest is refused by name.
 * Every method throws a RelayError with the broker's own reason. Broker ids are text, offsets decimal text (64 bit).
 */
export interface BrokerOperator {
  describeCluster?(): Promise<ClusterDescription>
  /** By name. */
  listTopics?(): Promise<TopicSummary[]>
  /** @throws RelayError TOPIC_UNKNOWN, as do all methods that take a topic that must exist */
  describeTopic?(topic: string): Promise<TopicDescription>
  /** Resolves when the topic takes messages. @throws RelayError NAME_TAKEN */
  createTopic?(topic: NewTopic): Promise<void>
  alterTopic?(topic: string, change: TopicChange): Promise<void>
  deleteTopic?(topic: string): Promise<void>
  /** Those that match all that the filter gives. */
  listAcls?(filter: AclFilter): Promise<Acl[]>
  createAcl?(acl: Acl): Promise<void>
  /** Resolves to those that were deleted. */
  deleteAcls?(filter: AclFilter): Promise<Acl[]>
  /** By id. */
  listGroups?(): Promise<GroupSummary[]>
  /** @throws RelayError NOT_FOUND */
  describeGroup?(group: string): Promise<GroupDescription>
  deleteGroup?(group: string): Promise<void>
  /**
   * Sets where a group without members goes on. Nothing is moved unless a place is found for all of it.
   * @returns what was moved
   * @throws RelayError GROUP_ACTIVE when it has members; INPUT_INVALID naming the bounds where an offset is not in them;
   *   PARTITION_UNKNOWN
   */
  moveGroup?(request: GroupMoveRequest): Promise<GroupMove[]>
  /**
   * Reads messages without disturbing any consumer group. Resolves at the end the topic had at the start of the call,
   * after `max` messages, or when `signal` is aborted; with `follow` at one of the latter two only. The next message
   * waits until `onMessage` is done with the one before; it must not fail.
   */
  consume?(request: ConsumeRequest, onMessage: (message: ConsumedMessage) => Promise<void>): Promise<void>
  /**
   * By the id of its receipt, which all copies of a message share (one by each attempt to send that arrived), or by
   * the id that names its place on a broker. Never empty. @throws RelayError NOT_FOUND
   */
  findMessages?(topic: string, id: string): Promise<MessageRecord[]>
  /** By time stored. */
  queryMessages?(query: MessageQuery): Promise<MessageRecord[]>
  /** What to do instead of what is missing here; completes "cannot …: ". */
  readonly insteadOfMissing?: string
  close(): Promise<void>
}

export interface ClusterDescription {
  clusterId: string | null
  /** Id of the broker that takes requests to change the cluster. */
  controller: string | null
  brokers: BrokerDescription[]
}

export interface BrokerDescription {
  id: string
  address: string
  /** RocketMQ. */
  role?: 'master' | 'slave'
  /** Of its software; absent where the broker does not tell. */
  version?: string
}

export type TopicSummary = PartitionedTopicSummary | QueuedTopicSummary

/** Kafka. */
export interface PartitionedTopicSummary {
  topic: string
  partitions: number
  replicationFactor: number
}

/** RocketMQ. */
export interface QueuedTopicSummary {
  topic: string
  type: string | null
  /** On all brokers together. */
  queues: number
}

export type TopicDescription = PartitionedTopic | QueuedTopic

/** Kafka. */
export interface PartitionedTopic {
  topic: string
  partitions: PartitionDescription[]
  configs: TopicConfig[]
}

/** RocketMQ. */
export interface QueuedTopic {
  topic: string
  /** What messages it takes, such as `FIFO`, or what it is for, such as `RETRY`; null where brokers have no types. */
  type: string | null
  queues: QueueDescription[]
  configs: TopicConfig[]
}

/** Each broker numbers its own queues. */
export interface QueueDescription {
  broker: string
  queue: number
  readable: boolean
  writable: boolean
  /** Offset of the oldest message there is. */
  firstOffset: string
  /** Offset of the next message to be written. */
  endOffset: string
  /** When the last message was stored, milliseconds since 1970; null when there is none. */
  lastStoredAt: number | null
}

/** Topic types RocketMQ 5 makes. */
export const TOPIC_TYPES = ['normal', 'fifo', 'delay', 'transaction'] as const
export type TopicType = (typeof TOPIC_TYPES)[number]

export interface PartitionDescription {
  partition: number
  /** Null while there is none. */
  leader: string | null
  replicas: string[]
  inSyncReplicas: string[]
}

export interface TopicConfig {
  name: string
  value: string | null
  /** Whether it was set for this topic, as opposed to the broker's default. */
  isOverridden: boolean
}

export interface NewTopic {
  topic: string
  /** Default: the broker's. RocketMQ: queues on each broker. */
  partitions?: number | undefined
  /** Default: the broker's. */
  replicationFactor?: number | undefined
  /** RocketMQ: what messages it takes. Default: normal. */
  type?: TopicType | undefined
  configs: Record<string, string>
}

/** What is not named stays as it is. */
export interface TopicChange {
  /** The new number; of Kafka it can only grow. RocketMQ: on each broker. */
  partitions?: number | undefined
  configs: Record<string, string>
  /** Configs that go back to the broker's default. */
  removedConfigs: string[]
}

export interface Acl {
  /** Such as `User:alice`. */
  principal: string
  /** An address, or `*`. */
  host: string
  operation: string
  permission: string
  resourceType: string
  resourceName: string
  /** How the name is meant. */
  pattern: string
}

export type AclFilter = { [Field in keyof Acl]?: string | undefined }

export interface GroupSummary {
  group: string
  state: string
  members: number
}

export interface GroupDescription {
  group: string
  state: string
  /** RocketMQ: how its members share messages; absent while it has none. */
  mode?: 'clustering' | 'broadcasting'
  /** RocketMQ: what its members subscribe to. */
  subscriptions?: { topic: string; filter: string }[]
  members: { memberId: string; clientId: string; host: string }[]
  /** Of every partition that has a committed offset or a member. */
  partitions: GroupPartition[]
}

export interface GroupPartition {
  topic: string
  partition: number
  /** RocketMQ: the broker it is on, as each numbers its own queues. */
  broker?: string
  /** Null when nothing was committed. */
  committedOffset: string | null
  /** Offset of the next message to be written; null when the topic is gone. */
  endOffset: string | null
  /** Messages between the two; null when one is not known. */
  lag: string | null
  memberId: string | null
}

export interface GroupMoveRequest {
  group: string
  /** At least one. */
  topics: readonly string[]
  to: StartPosition
  /** Default: all of each topic. RocketMQ: the queues of these numbers on every broker. */
  partitions?: readonly number[] | undefined
}

export interface GroupMove {
  topic: string
  partition: number
  /** RocketMQ: the broker it is on, as each numbers its own queues. */
  broker?: string
  /** Where the group was; null: it had no offset. */
  previous: string | null
  /** Where it is now: of the next message it gets. */
  offset: string
}

export interface ConsumeRequest {
  topic: string
  from: StartPosition
  /** Default: all. RocketMQ: the queue of this number on every broker. */
  partition?: number | undefined
  /** RocketMQ: on this broker only. */
  broker?: string | undefined
  /** RocketMQ: with one of these tags only. */
  tags?: readonly string[] | undefined
  /** Messages at most. */
  max?: number | undefined
  follow: boolean
  signal: AbortSignal
}

export type StartPosition =
  | { at: 'earliest' }
  | { at: 'latest' }
  | { at: 'offset'; offset: string }
  /** The first message of this time, milliseconds since 1970, or later. */
  | { at: 'time'; time: number }

export interface ConsumedMessage {
  topic: string
  partition: number
  offset: string
  /** Milliseconds since 1970. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, HeaderValue>
  /** RocketMQ: the broker its queue is on. */
  broker?: string
  /** RocketMQ. */
  messageId?: string
  /** RocketMQ. */
  tag?: string
}

export interface MessageQuery {
  topic: string
  /** Default: with any key or none. */
  key?: string | undefined
  /** Stored then or later; milliseconds since 1970. */
  since?: number | undefined
  /** Stored before. */
  until?: number | undefined
  /** The newest so many. */
  max: number
}

/** A message with all that RocketMQ tells of it. */
export interface MessageRecord {
  topic: string
  /** As in the receipt of the one who sent it. */
  messageId: string
  /** Names its place on a broker. */
  offsetMessageId: string
  broker: string
  queue: number
  offset: string
  /** Milliseconds since 1970. */
  storedAt: number
  bornAt: number
  /** Address of the one who sent it. */
  bornHost: string
  /** How often consumers sent it back. */
  reconsumeTimes: number
  tag: string | null
  keys: string[]
  /** All others, those of RocketMQ itself included. */
  properties: Record<string, string>
  value: Buffer
}

export type Capability = Exclude<keyof BrokerOperator, 'close' | 'insteadOfMissing'>

const CAPABILITIES: Record<Capability, string> = {
  describeCluster: 'describe the cluster',
  listTopics: 'list topics',
  describeTopic: 'describe topics',
  createTopic: 'create topics',
  alterTopic: 'alter topics',
  deleteTopic: 'delete topics',
  listAcls: 'list ACLs',
  createAcl: 'create ACLs',
  deleteAcls: 'delete ACLs',
  listGroups: 'list consumer groups',
  describeGroup: 'describe consumer groups',
  deleteGroup: 'delete consumer groups',
  moveGroup: 'move consumer groups',
  consume: 'read topics',
  findMessages: 'look up messages',
  queryMessages: 'look up messages',
}

/** The refusal to touch the offsets of a group while its members have them in hand. */
export function groupActive(group: string, members?: number): RelayError {
  const count = members === undefined ? 'members' : members === 1 ? '1 member' : `${members} members`
  return new RelayError(
    'GROUP_ACTIVE',
    `consumer group ${group} has ${count}, which would go on where they are and commit that again: stop its consumers first`,
  )
}

/** Why an offset that was asked for cannot be gone to. @param what such as `partition 0 of topic orders` */
export function offsetOutside(offset: bigint, what: string, first: bigint, end: bigint): RelayError {
  const held =
    first === end ? `holds no messages; its next offset is ${end}` : `holds ${first} to ${end - 1n}`
  return new RelayError('INPUT_INVALID', `offset ${offset} is not in ${what}, which ${held}`)
}

/** @throws RelayError NOT_SUPPORTED when the kind of broker has no such method. */
export function capabilityOf<Name extends Capability>(
  operator: BrokerOperator,
  name: Name,
  kind: AdapterKind,
): NonNullable<BrokerOperator[Name]> {
  const method = operator[name]
  if (method) return method
  throw new RelayError(
    'NOT_SUPPORTED',
    `adapters of kind ${kind} cannot ${CAPABILITIES[name]} from here: ${operator.insteadOfMissing ?? "use the broker's own tools"}`,
  )
}
