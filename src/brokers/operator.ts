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
   * Reads messages without disturbing any consumer group. Resolves at the end the topic had at the start of the call,
   * after `max` messages, or when `signal` is aborted; with `follow` at one of the latter two only. The next message
   * waits until `onMessage` is done with the one before; it must not fail.
   */
  consume?(request: ConsumeRequest, onMessage: (message: ConsumedMessage) => Promise<void>): Promise<void>
  close(): Promise<void>
}

export interface ClusterDescription {
  clusterId: string | null
  /** Id of the broker that takes requests to change the cluster. */
  controller: string | null
  brokers: { id: string; address: string }[]
}

export interface TopicSummary {
  topic: string
  partitions: number
  replicationFactor: number
}

export interface TopicDescription {
  topic: string
  partitions: PartitionDescription[]
  configs: TopicConfig[]
}

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
  /** Default: the broker's. */
  partitions?: number | undefined
  /** Default: the broker's. */
  replicationFactor?: number | undefined
  configs: Record<string, string>
}

/** What is not named stays as it is. */
export interface TopicChange {
  /** The new number; it can only grow. */
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
  members: { memberId: string; clientId: string; host: string }[]
  /** Of every partition that has a committed offset or a member. */
  partitions: GroupPartition[]
}

export interface GroupPartition {
  topic: string
  partition: number
  /** Null when nothing was committed. */
  committedOffset: string | null
  /** Offset of the next message to be written; null when the topic is gone. */
  endOffset: string | null
  /** Messages between the two; null when one is not known. */
  lag: string | null
  memberId: string | null
}

export interface ConsumeRequest {
  topic: string
  from: StartPosition
  /** Default: all. */
  partition?: number | undefined
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
}

export type Capability = Exclude<keyof BrokerOperator, 'close'>

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
  consume: 'read topics',
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
    `adapters of kind ${kind} cannot ${CAPABILITIES[name]} from here: use the broker's own tools`,
  )
}
