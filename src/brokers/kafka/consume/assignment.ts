import kafkajs from 'kafkajs'
import { RelayError } from '../../../core/errors.js'
import type { KafkaSettings } from '../settings.js'

// CommonJS: Node.js sees these only on the default export.
const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
const NO_USER_DATA = Buffer.alloc(0)
const VERSION = 0

export type Strategy = KafkaSettings['consumer']['strategy']

/** A partition of a topic. */
export interface Place {
  topic: string
  partition: number
}

export interface GroupMember {
  memberId: string
  topics: readonly string[]
}

/** As members of all languages call them. */
const PROTOCOLS: Record<Strategy, string> = { range: 'range', roundRobin: 'roundrobin' }

export function keyOf({ topic, partition }: Place): string {
  return `${topic} ${partition}`
}

/** What a member offers to its group: the strategy it prefers first. */
export function offers(preferred: Strategy, topics: readonly string[]): { name: string; metadata: Buffer }[] {
  const metadata = MemberMetadata.encode({ version: VERSION, topics: [...topics], userData: NO_USER_DATA })
  const strategies: Strategy[] = preferred === 'range' ? ['range', 'roundRobin'] : ['roundRobin', 'range']
  return strategies.map((strategy) => ({ name: PROTOCOLS[strategy], metadata }))
}

/** @throws RelayError where the group has chosen one that nobody here has offered */
export function strategyNamed(protocol: string): Strategy {
  const found = (['range', 'roundRobin'] as const).find((strategy) => PROTOCOLS[strategy] === protocol)
  if (found) return found
  throw new RelayError('BROKER_UNAVAILABLE', `the group shares its partitions by "${protocol}"`)
}

export function topicsOf(metadata: Buffer): string[] {
  return MemberMetadata.decode(metadata)?.topics ?? []
}

export function encodeAssignment(places: readonly Place[]): Buffer {
  const partitions = new Map<string, number[]>()
  for (const { topic, partition } of places) {
    partitions.set(topic, [...(partitions.get(topic) ?? []), partition])
  }
  const assignment = Object.fromEntries(partitions)
  return MemberAssignment.encode({ version: VERSION, assignment, userData: NO_USER_DATA })
}

export function decodeAssignment(bytes: Buffer): Place[] {
  // A member that gets nothing may get no bytes either.
  if (bytes.length === 0) return []
  const decoded = MemberAssignment.decode(bytes)
  return Object.entries(decoded?.assignment ?? {}).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  )
}

/**
 * Which member of a group gets which partitions, as Java's members would share them: a leader may be of any language.
 * @param partitionsOf how many partitions a topic has; 0: there is none
 */
export function assign(
  strategy: Strategy,
  members: readonly GroupMember[],
  partitionsOf: (topic: string) => number,
): Map<string, Place[]> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const shares = new Map<string, Place[]>(sorted.map(({ memberId }) => [memberId, []]))
  const topics = [...new Set(sorted.flatMap((member) => member.topics))].sort()
  switch (strategy) {
    case 'range':
      for (const topic of topics) shareRange(topic, partitionsOf(topic), sorted, shares)
      return shares
    case 'roundRobin':
      shareInTurn(topics, partitionsOf, sorted, shares)
      return shares
    default:
      return strategy satisfies never
  }
}

function shareRange(
  topic: string,
  count: number,
  members: readonly GroupMember[],
  shares: Map<string, Place[]>,
): void {
  const takers = members.filter(({ topics }) => topics.includes(topic))
  const share = Math.floor(count / takers.length)
  const rest = count % takers.length
  takers.forEach(({ memberId }, index) => {
    const start = index * share + Math.min(index, rest)
    const length = share + (index < rest ? 1 : 0)
    for (let i = 0; i < length; i++) shares.get(memberId)?.push({ topic, partition: start + i })
  })
}

/** A member that does not want a topic is passed over for it, and its turn with it. */
function shareInTurn(
  topics: readonly string[],
  partitionsOf: (topic: string) => number,
  members: readonly GroupMember[],
  shares: Map<string, Place[]>,
): void {
  let turn = 0
  for (const topic of topics) {
    for (let partition = 0; partition < partitionsOf(topic); partition++) {
      let taker = members[turn++ % members.length]
      while (taker && !taker.topics.includes(topic)) taker = members[turn++ % members.length]
      if (taker) shares.get(taker.memberId)?.push({ topic, partition })
    }
  }
}
