import type { KafkaSettings } from '../settings.js'
import {
  assign,
  decodeAssignment,
  encodeAssignment,
  type GroupMember,
  offers,
  type Place,
  strategyNamed,
  topicsOf,
} from './assignment.js'
import { type CommitOutcome, type Coordinator, NOBODY, type Standing, standingOf } from './coordinator.js'
import { HEARTBEAT, JOIN, LEAVE, SYNC } from './group-requests.js'

/** Of the protocol: an id was given, under which to join. */
const MEMBER_ID_REQUIRED = 79
/** Added to the time the members have to join, for the answer to arrive. */
const SLACK_MS = 5000
const NOTHING = Buffer.alloc(0)

export interface GroupMembershipOptions {
  coordinator: Coordinator
  topics: readonly string[]
  settings: KafkaSettings['consumer']
  /** Asked of the member that shares out the partitions, for the topics of all members. */
  partitionsOf(topics: readonly string[]): Promise<(topic: string) => number>
}

/** One member of a consumer group. All methods throw a RelayError. */
export class GroupMembership {
  readonly #options: GroupMembershipOptions
  readonly #coordinator: Coordinator
  #self = NOBODY
  #led: readonly string[] = []

  constructor(options: GroupMembershipOptions) {
    this.#options = options
    this.#coordinator = options.coordinator
  }

  /** Topics whose partitions this member shares out; none where another does that. */
  get ledTopics(): readonly string[] {
    return this.#led
  }

  /** Resolves to this member's share once all members have joined. */
  async join(): Promise<Place[]> {
    for (;;) {
      this.#led = []
      const joined = await this.#coordinator.ask(JOIN, this.#joining(), this.#joinMs)
      const { errorCode, memberId, generationId: generation } = joined
      if (errorCode === MEMBER_ID_REQUIRED) {
        this.#self = { ...NOBODY, memberId }
        continue
      }
      if (this.#mustJoinAnew(errorCode)) continue
      this.#coordinator.check(errorCode, 'joining the members')
      this.#self = { memberId, generation }
      const isLeader = joined.leaderId === memberId
      const { group } = this.#coordinator
      const groupAssignment = isLeader ? await this.#assignments(joined.groupProtocol, joined.members) : []
      const sync = { groupId: group, generationId: generation, memberId, groupAssignment }
      const share = await this.#coordinator.ask(SYNC, sync, this.#joinMs)
      if (standingOf(share.errorCode) === 'rebalancing' || this.#mustJoinAnew(share.errorCode)) continue
      this.#coordinator.check(share.errorCode, 'joining the members')
      return decodeAssignment(share.memberAssignment ?? NOTHING)
    }
  }

  async heartbeat(): Promise<Standing> {
    const { memberId, generation: groupGenerationId } = this.#self
    const { group } = this.#coordinator
    const { sessionTimeoutMs, requestTimeoutMs } = this.#options.settings
    const limitMs = Math.min(sessionTimeoutMs, requestTimeoutMs)
    const beat = { groupId: group, groupGenerationId, memberId }
    const { errorCode } = await this.#coordinator.ask(HEARTBEAT, beat, limitMs)
    const standing = standingOf(errorCode)
    if (standing === undefined) this.#coordinator.check(errorCode, 'staying among the members')
    return standing ?? 'member'
  }

  /** Commits offsets, as far as this is still a member that may. */
  commit(offsets: readonly (Place & { offset: bigint })[]): Promise<CommitOutcome> {
    return this.#coordinator.commit(this.#self, offsets)
  }

  committed(places: readonly Place[]): Promise<Map<string, bigint>> {
    return this.#coordinator.committed(places)
  }

  async leave(): Promise<void> {
    const { memberId } = this.#self
    if (memberId !== '') await this.#coordinator.ask(LEAVE, { groupId: this.#coordinator.group, memberId })
  }

  /** Ends what waits for an answer: joining can take as long as the slowest member. */
  cut(reason: string): void {
    this.#coordinator.cut(reason)
  }

  #joining() {
    const { topics, settings } = this.#options
    return {
      groupId: this.#coordinator.group,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: settings.rebalanceTimeoutMs,
      memberId: this.#self.memberId,
      protocolType: 'consumer',
      groupProtocols: offers(settings.strategy, topics),
    }
  }

  get #joinMs(): number {
    const { rebalanceTimeoutMs, requestTimeoutMs } = this.#options.settings
    return Math.max(rebalanceTimeoutMs + SLACK_MS, requestTimeoutMs)
  }

  /** Only one who was known has to be somebody else now. */
  #mustJoinAnew(errorCode: number): boolean {
    const wasKnown = this.#self.memberId !== ''
    if (standingOf(errorCode) !== 'expelled' || !wasKnown) return false
    this.#self = NOBODY
    return true
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
}
