import kafkajs, { type GroupDescription as KafkaGroup } from 'kafkajs'
import { RelayError } from '../../core/errors.js'
import type { GroupDescription, GroupPartition, GroupSummary } from '../operator.js'
import type { AdminSession } from './admin-session.js'

type Ask = AdminSession['ask']

/** What kafkajs makes of a group that is not there, or whose protocol (KIP-848) is newer than it. */
const UNDESCRIBED = 'Dead'

export async function listGroups(ask: Ask): Promise<GroupSummary[]> {
  const listed = await ask('listing consumer groups', (admin) => admin.listGroups())
  const ids = listed.groups.map(({ groupId }) => groupId).sort()
  if (ids.length === 0) return []
  const { groups } = await ask('describing consumer groups', (admin) => admin.describeGroups(ids))
  const known = new Map(groups.map((group) => [group.groupId, group]))
  return ids.map((group) => ({
    group,
    state: stateOf(known.get(group)),
    members: known.get(group)?.members.length ?? 0,
  }))
}

export async function describeGroup(id: string, ask: Ask): Promise<GroupDescription> {
  const doing = `describing consumer group ${id}`
  const { groups } = await ask(doing, (admin) => admin.describeGroups([id]))
  const group = groups.find(({ groupId }) => groupId === id)
  const committed = await ask(doing, (admin) => admin.fetchOffsets({ groupId: id }))
  if ((group === undefined || group.state === UNDESCRIBED) && committed.length === 0) {
    const listed = await ask(doing, (admin) => admin.listGroups())
    if (!listed.groups.some(({ groupId }) => groupId === id)) throw unknownGroup(id)
  }

  const partitions = new Map<string, GroupPartition>()
  const partitionOf = (topic: string, partition: number): GroupPartition => {
    const key = `${topic} ${partition}`
    const known = partitions.get(key)
    if (known) return known
    const made = { topic, partition, committedOffset: null, endOffset: null, lag: null, memberId: null }
    partitions.set(key, made)
    return made
  }
  for (const { topic, partitions: offsets } of committed) {
    for (const { partition, offset } of offsets) {
      if (BigInt(offset) >= 0n) partitionOf(topic, partition).committedOffset = offset
    }
  }
  for (const { memberId, topic, partition } of assignments(group)) {
    partitionOf(topic, partition).memberId = memberId
  }
  for (const topic of new Set([...partitions.values()].map(({ topic }) => topic))) {
    for (const { partition, high } of await ends(topic, ask)) {
      const row = partitions.get(`${topic} ${partition}`)
      if (!row) continue
      row.endOffset = high
      if (row.committedOffset !== null) row.lag = String(BigInt(high) - BigInt(row.committedOffset))
    }
  }
  return {
    group: id,
    state: stateOf(group),
    members: (group?.members ?? []).map(({ memberId, clientId, clientHost }) => ({
      memberId,
      clientId,
      host: clientHost.replace(/^\//, ''),
    })),
    partitions: [...partitions.values()].sort((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    ),
  }
}

function stateOf(group: KafkaGroup | undefined): string {
  return group === undefined || group.state === UNDESCRIBED ? 'Unknown' : group.state
}

/** Who reads what, as far as the group's protocol is that of consumers. */
function assignments(
  group: KafkaGroup | undefined,
): { memberId: string; topic: string; partition: number }[] {
  if (group?.protocolType !== 'consumer') return []
  return group.members.flatMap(({ memberId, memberAssignment }) => {
    if (memberAssignment.length === 0) return []
    const decoded = kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)
    return Object.entries(decoded?.assignment ?? {}).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ memberId, topic, partition })),
    )
  })
}

/** Offsets outlive their topic. */
async function ends(topic: string, ask: Ask): Promise<{ partition: number; high: string }[]> {
  try {
    return await ask(`reading the ends of topic ${topic}`, (admin) => admin.fetchTopicOffsets(topic))
  } catch (error) {
    if (error instanceof RelayError && error.code === 'TOPIC_UNKNOWN') return []
    throw error
  }
}

function unknownGroup(id: string): RelayError {
  return new RelayError(
    'NOT_FOUND',
    `there is no consumer group "${id}": \`bpmn-relay group list\` shows those there are`,
  )
}
