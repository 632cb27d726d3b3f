import type { Static, TSchema } from 'typebox'
import type { RelayError } from '../../../core/errors.js'
import type { KafkaClients } from '../client.js'
import { judge } from '../errors.js'
import { errorOfCode, type Link, type Question } from '../link.js'
import type { Nodes } from '../nodes.js'
import type { KafkaSettings } from '../settings.js'
import {
  assign,
  decodeAssignment,
  encodeAssignment,
  type GroupMember,
  keyOf,
  offers,
  type Place,
  strategyNamed,
  topicsOf,
} from './assignment.js'
import { COMMIT, COMMITTED, FIND_COORDINATOR, HEARTBEAT, JOIN, LEAVE, SYNC } from './group-requests.js'
import { byTopic } from './log-offsets.js'

/** Of the protocol. */
const CODE = {
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  MEMBER_ID_REQUIRED: 79,
} as const

/** Added to the time the members have to join, for the answer to arrive. */
const SLACK_MS = 5000

/** What the coordinator thinks of a member. `rebalancing`: it must join again; `expelled`: as somebody new. */
export type Standing = 'member' | 'rebalancing' | 'expelled'

export interface CommitOutcome {
  standing: Standing
  /** What is committed now, by `keyOf`. */
  committed: Set<string>
  /** Why something else is not. */
  error: RelayError | undefined
}

export interface GroupMembershipOptions {
  group: string
  topics: readonly string[]
  settings: KafkaSettings
  clients: KafkaClients
  nodes: Nodes
  /** Asked of the member that shares out the partitions, for the topics of all members. */
  partitionsOf(topics: readonly string[]): Promise<(topic: string) => number>
}

/** One member of a consumer group, at the broker that coordinates it. All methods throw a RelayError. */
export class GroupMembership {
  readonly #options: GroupMembershipOptions
  #link: Link | undefined
  #finding: Promise<Link> | undefined
  /** Empty: none yet. */
  #memberId = ''
  #generation = -1
  #led: string[] = []

  constructor(options: GroupMembershipOptions) {
    this.#options = options
  }

  /** Topics whose partitions this member shares out; none where another does that. */
  get ledTopics(): readonly string[] {
    return this.#led
  }

  /** Resolves to this member's share once all members have joined. */
  async join(): Promise<Place[]> {
    this.#led = []
    for (;;) {
      const { errorCode, memberId, ...joined } = await this.#ask(JOIN, this.#joining(), this.#joinMs)
      if (errorCode === CODE.MEMBER_ID_REQUIRED) {
        this.#memberId = memberId
        continue
      }
      if (this.#mustJoinAnew(errorCode)) continue
      this.#check(errorCode, 'joining')
      this.#memberId = memberId
      this.#generation = joined.generationId
      const isLeader = joined.leaderId === memberId
      const share = await this.#ask(
        SYNC,
        {
          groupId: this.#options.group,
          generationId: this.#generation,
          memberId,
          groupAssignment: isLeader ? await this.#assignments(joined.groupProtocol, joined.members) : [],
        },
        this.#joinMs,
      )
      if (share.errorCode === CODE.REBALANCE_IN_PROGRESS || this.#mustJoinAnew(share.errorCode)) continue
      this.#check(share.errorCode, 'joining')
      return decodeAssignment(share.memberAssignment ?? Buffer.alloc(0))
    }
  }

  async heartbeat(): Promise<Standing> {
    const { errorCode } = await this.#ask(HEARTBEAT, this.#self)
    return this.#standing(errorCode, 'showing that this member lives')
  }

  /** Commits offsets, as far as this is still a member that may. */
  async commit(offsets: readonly (Place & { offset: bigint })[]): Promise<CommitOutcome> {
    const doing = 'committing offsets'
    const topics = byTopic(offsets, ({ partition, offset }) => ({ partition, offset: String(offset) }))
    const { responses } = await this.#ask(COMMIT, { ...this.#self, topics })
    const committed = new Set<string>()
    let standing: Standing = 'member'
    let error: RelayError | undefined
    for (const { topic, partitions } of responses) {
      for (const { partition, errorCode } of partitions) {
        const judged = standingOf(errorCode)
        if (errorCode === 0) committed.add(keyOf({ topic, partition }))
        else if (judged) standing = judged
        else error ??= this.#judged(errorCode, `${doing} in topic ${topic}`)
      }
    }
    return { standing, committed, error }
  }

  /** By `keyOf`; what the group has no offset of is left out. */
  async committed(places: readonly Place[]): Promise<Map<string, bigint>> {
    const doing = 'reading the offsets'
    const topics = byTopic(places, ({ partition }) => ({ partition }))
    const answer = await this.#ask(COMMITTED, { groupId: this.#options.group, topics })
    this.#check(answer.errorCode ?? 0, doing)
    const found = new Map<string, bigint>()
    for (const { topic, partitions } of answer.responses) {
      for (const { partition, errorCode, offset } of partitions) {
        this.#check(errorCode, `${doing} in topic ${topic}`)
        if (BigInt(offset) >= 0n) found.set(keyOf({ topic, partition }), BigInt(offset))
      }
    }
    return found
  }

  async leave(): Promise<void> {
    if (this.#memberId === '') return
    await this.#ask(LEAVE, { groupId: this.#options.group, memberId: this.#memberId })
  }

  /** Ends what waits for an answer: joining can take as long as the slowest member. */
  cut(reason: string): void {
    this.#link?.cut(reason)
    this.#link = undefined
  }

  get #self() {
    return {
      groupId: this.#options.group,
      groupGenerationId: this.#generation,
      memberId: this.#memberId,
    }
  }

  #joining() {
    const { group, topics, settings } = this.#options
    const { sessionTimeoutMs, rebalanceTimeoutMs, strategy } = settings.consumer
    return {
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId: this.#memberId,
      protocolType: 'consumer',
      groupProtocols: offers(strategy, topics),
    }
  }

  get #joinMs(): number {
    const { rebalanceTimeoutMs, requestTimeoutMs } = this.#options.settings.consumer
    return Math.max(rebalanceTimeoutMs + SLACK_MS, requestTimeoutMs)
  }

  #mustJoinAnew(errorCode: number): boolean {
    if (standingOf(errorCode) !== 'expelled') return false
    // Only one who is known has to be somebody else.
    const wasKnown = this.#memberId !== ''
    this.#memberId = ''
    return wasKnown
  }

  async #assignments(protocol: string | null, joined: { memberId: string; memberMetadata: Buffer }[]) {
    const members: GroupMember[] = joined.map(({ memberId, memberMetadata }) => ({
      memberId,
      topics: topicsOf(memberMetadata),
    }))
    const topics = [...new Set(members.flatMap((member) => member.topics))]
    const partitionsOf = await this.#options.partitionsOf(topics)
    this.#led = topics
    const shares = assign(strategyNamed(protocol ?? ''), members, partitionsOf)
    return [...shares].map(([memberId, places]) => ({ memberId, memberAssignment: encodeAssignment(places) }))
  }

  #standing(errorCode: number, doing: string): Standing {
    const standing = standingOf(errorCode)
    if (standing === undefined) this.#check(errorCode, doing)
    return standing ?? 'member'
  }

  #check(errorCode: number, doing: string): void {
    if (errorCode !== 0) throw this.#judged(errorCode, doing)
  }

  #judged(errorCode: number, doing: string): RelayError {
    if (errorCode === CODE.NOT_COORDINATOR || errorCode === CODE.COORDINATOR_NOT_AVAILABLE) {
      this.cut('another broker coordinates the group')
    }
    const { group, settings } = this.#options
    return judge(errorOfCode(errorCode), `${doing} of consumer group ${group}`, settings).error
  }

  async #ask<Schema extends TSchema>(
    question: Question<Schema>,
    fields: object,
    limitMs?: number,
  ): Promise<Static<Schema>> {
    const link = await this.#coordinator()
    return link.ask(
      question,
      fields,
      `asking the coordinator of consumer group ${this.#options.group}`,
      limitMs,
    )
  }

  /** A connection of its own: others would wait for the one who waits to join. */
  async #coordinator(): Promise<Link> {
    if (this.#link?.isUsable) return this.#link
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined
    })
    return this.#finding
  }

  async #find(): Promise<Link> {
    const { group, nodes, clients } = this.#options
    const doing = `looking for the coordinator of consumer group ${group}`
    const any = await nodes.any()
    const { errorCode, coordinator } = await any.ask(FIND_COORDINATOR, { groupId: group }, doing)
    this.#check(errorCode, 'looking for the coordinator')
    const link = clients.link(`${coordinator.host}:${coordinator.port}`)
    await link.connect()
    this.#link = link
    return link
  }
}

function standingOf(errorCode: number): Standing | undefined {
  switch (errorCode) {
    case CODE.REBALANCE_IN_PROGRESS:
      return 'rebalancing'
    case CODE.ILLEGAL_GENERATION:
    case CODE.UNKNOWN_MEMBER_ID:
      return 'expelled'
    default:
      return undefined
  }
}
