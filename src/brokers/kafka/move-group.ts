import type { Log } from '../../core/log.js'
import { type GroupMove, type GroupMoveRequest, groupActive } from '../operator.js'
import type { AdminSession } from './admin-session.js'
import type { KafkaClients } from './client.js'
import { keyOf, type Place } from './consume/assignment.js'
import { Coordinator, NOBODY } from './consume/coordinator.js'
import { LogOffsets, noAnswer } from './consume/log-offsets.js'
import { ReadTopics } from './consume/read-topics.js'
import type { Nodes } from './nodes.js'
import { unknownPartition } from './refusals.js'
import type { KafkaSettings } from './settings.js'

interface Session {
  ask: AdminSession['ask']
  clients: KafkaClients
  nodes: Nodes
  settings: KafkaSettings
  log: Log
}

/** `moveGroup` of the port. A group that is not there is made by that. */
export async function moveGroup(
  { group, topics, to, partitions }: GroupMoveRequest,
  { ask, clients, nodes, settings, log }: Session,
): Promise<GroupMove[]> {
  await refuseMembers(group, ask)
  const read = new ReadTopics(nodes, settings, log)
  await read.require(topics)
  const places = topics.flatMap((topic) => chosen(topic, read.partitions(topic), partitions))
  const offsets = new LogOffsets({ nodes, settings, leaderOf: (place) => read.leader(place) })
  const found = await offsets.startsAt(to, places)
  const moves = places.map((place) => {
    const offset = found.get(keyOf(place))
    if (typeof offset === 'bigint') return { ...place, offset }
    throw offset ?? noAnswer(place)
  })

  const coordinator = new Coordinator({ group, settings, clients, nodes })
  try {
    const before = await coordinator.committed(places)
    const { standing, error } = await coordinator.commit(NOBODY, moves)
    if (error) throw error
    // Somebody has joined in between, or its members speak a protocol that kafkajs cannot see: nothing was moved.
    if (standing !== 'member') throw groupActive(group)
    return moves.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      previous: before.get(keyOf({ topic, partition }))?.toString() ?? null,
      offset: String(offset),
    }))
  } finally {
    coordinator.cut('the group is moved')
  }
}

async function refuseMembers(group: string, ask: Session['ask']): Promise<void> {
  const { groups } = await ask(`describing consumer group ${group}`, (admin) => admin.describeGroups([group]))
  const count = groups.flatMap(({ members }) => members).length
  if (count > 0) throw groupActive(group, count)
}

function chosen(topic: string, count: number, partitions: readonly number[] | undefined): Place[] {
  const unknown = partitions?.find((partition) => partition >= count)
  if (unknown !== undefined) throw unknownPartition(topic, unknown, count)
  const numbers = partitions ?? Array.from({ length: count }, (_, partition) => partition)
  return numbers.map((partition) => ({ topic, partition }))
}
