import type { Static, TSchema } from 'typebox'
import type { RelayError } from '../../../core/errors.js'
import type { KafkaClients } from '../client.js'
import { judge } from '../errors.js'
import { errorOfCode, type Link, type Question } from '../link.js'
import type { Nodes } from '../nodes.js'
import type { KafkaSettings } from '../settings.js'
import { keyOf, type Place } from './assignment.js'
import { COMMIT, COMMITTED, FIND_COORDINATOR } from './group-requests.js'
import { byTopic } from './log-offsets.js'

/** Of the protocol. */
const CODE = {
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
} as const

/** What a coordinator thinks of a member. `rebalancing`: it must join again; `expelled`: it is none any more. */
export type Standing = 'member' | 'rebalancing' | 'expelled'

export interface Identity {
  /** Empty: none yet. */
  memberId: string
  generation: number
}

/** Who may commit as long as a group has no members. */
export const NOBODY: Identity = { memberId: '', generation: -1 }

export interface CommitOutcome {
  standing: Standing
  /** What is committed now, by `keyOf`. */
  committed: Set<string>
  /** Why something else is not. */
  error: RelayError | undefined
}

export interface CoordinatorOptions {
  group: string
  settings: KafkaSettings
  clients: KafkaClients
  nodes: Nodes
}

/** The broker that coordinates a consumer group, wherever that is at the moment. All methods throw a RelayError. */
export class Coordinator {
  readonly #options: CoordinatorOptions
  #link: Link | undefined
  #finding: Promise<Link> | undefined

  constructor(options: CoordinatorOptions) {
    this.#options = options
  }

  get group(): string {
    return this.#options.group
  }

  /** @param limitMs how long the answer may take; default: the request timeout */
  async ask<Schema extends TSchema>(
    question: Question<Schema>,
    fields: object,
    limitMs?: number,
  ): Promise<Static<Schema>> {
    const link = await this.#found()
    return link.ask(question, fields, `asking the coordinator of consumer group ${this.group}`, limitMs)
  }

  /** Throws the error that an answer holds. @param doing completes "failed while … of consumer group …" */
  check(errorCode: number, doing: string): void {
    if (errorCode !== 0) throw this.#judged(errorCode, doing)
  }

  /** Commits offsets, as far as this one may. */
  async commit(
    { memberId, generation }: Identity,
    offsets: readonly (Place & { offset: bigint })[],
  ): Promise<CommitOutcome> {
    const doing = 'committing offsets'
    const topics = byTopic(offsets, ({ partition, offset }) => ({ partition, offset: String(offset) }))
    const self = { groupId: this.group, groupGenerationId: generation, memberId }
    const { responses } = await this.ask(COMMIT, { ...self, topics })
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
    const answer = await this.ask(COMMITTED, { groupId: this.group, topics })
    this.check(answer.errorCode ?? 0, doing)
    const found = new Map<string, bigint>()
    for (const { topic, partitions } of answer.responses) {
      for (const { partition, errorCode, offset } of partitions) {
        this.check(errorCode, `${doing} in topic ${topic}`)
        if (BigInt(offset) >= 0n) found.set(keyOf({ topic, partition }), BigInt(offset))
      }
    }
    return found
  }

  /** Ends what waits for an answer. */
  cut(reason: string): void {
    this.#link?.cut(reason)
    this.#link = undefined
  }

  #judged(errorCode: number, doing: string): RelayError {
    if (errorCode === CODE.NOT_COORDINATOR || errorCode === CODE.COORDINATOR_NOT_AVAILABLE) {
      this.cut('another broker coordinates the group')
    }
    return judge(errorOfCode(errorCode), `${doing} of consumer group ${this.group}`, this.#options.settings)
      .error
  }

  async #found(): Promise<Link> {
    if (this.#link?.isUsable) return this.#link
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined
    })
    return this.#finding
  }

  /** On a connection of its own: others would wait for the one who waits to join. */
  async #find(): Promise<Link> {
    const { nodes, clients } = this.#options
    const any = await nodes.any()
    const doing = `looking for the coordinator of consumer group ${this.group}`
    const { errorCode, coordinator } = await any.ask(FIND_COORDINATOR, { groupId: this.group }, doing)
    this.check(errorCode, 'looking for the coordinator')
    const link = clients.link(`${coordinator.host}:${coordinator.port}`)
    await link.connect()
    this.#link = link
    return link
  }
}

/** Undefined: the code says nothing of that. */
export function standingOf(errorCode: number): Standing | undefined {
  switch (errorCode) {
    case 0:
      return 'member'
    case CODE.REBALANCE_IN_PROGRESS:
      return 'rebalancing'
    case CODE.ILLEGAL_GENERATION:
    case CODE.UNKNOWN_MEMBER_ID:
      return 'expelled'
    default:
      return undefined
  }
}
