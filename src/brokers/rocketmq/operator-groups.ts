import { type Static, Type } from 'typebox'
import { RelayError } from '../../core/errors.js'
import { withTimeLimit } from '../../core/time-limit.js'
import type { GroupDescription, GroupPartition, GroupSummary } from '../operator.js'
import { adapterName, RETRY_PREFIX, serverName } from './operator-names.js'
import { type Master, type OperatorSession, parsed } from './operator-session.js'
import { deleteTopic, queueOf } from './operator-topics.js'

const REQUEST = {
  GET_ALL_GROUPS: 201,
  GET_CONNECTIONS: 203,
  DELETE_GROUP: 207,
  GET_CONSUME_STATS: 208,
  GET_RUNNING_INFO: 307,
} as const
const CONSUMER_NOT_ONLINE = 206
/** Groups of every broker, for its own ends and those of RocketMQ's tools. */
const SYSTEM_GROUP =
  /^(CID_RMQ_SYS_.*|TOOLS_CONSUMER|FILTERSRV_CONSUMER|SELF_TEST_C_GROUP|CID_ONS-HTTP-PROXY|CID_ONSAPI_.*|__MONITOR_CONSUMER)$/
/** A member is asked through its broker, which waits ten seconds for one that does not know the question. */
const MEMBER_LIMIT_MS = 3000
const RELAYED_LIMIT_MS = 15_000
const AT_A_TIME = 16

const AllGroups = Type.Object({ subscriptionGroupTable: Type.Record(Type.String(), Type.Unknown()) })
const Connections = Type.Object({
  connectionSet: Type.Array(Type.Object({ clientId: Type.String(), clientAddr: Type.String() })),
  messageModel: Type.Optional(Type.String()),
  subscriptionTable: Type.Record(
    Type.String(),
    Type.Object({ topic: Type.String(), subString: Type.Optional(Type.String()) }),
  ),
})
const Offset = Type.Union([Type.Integer(), Type.String()])
const ConsumeStats = Type.Object({
  offsetTable: Type.Record(Type.String(), Type.Object({ brokerOffset: Offset, consumerOffset: Offset })),
})
const RunningInfo = Type.Object({ mqTable: Type.Optional(Type.Record(Type.String(), Type.Unknown())) })

/** The connections of a group's members to one broker. */
type Online = Static<typeof Connections> & { master: Master }

/** RocketMQ's own are left out. */
export async function listGroups(session: OperatorSession): Promise<GroupSummary[]> {
  const masters = await session.masters()
  const groups = [...(await groupNames(session, masters))].sort()
  const summaries: GroupSummary[] = []
  for (let at = 0; at < groups.length; at += AT_A_TIME) {
    const some = groups.slice(at, at + AT_A_TIME).map(async (group) => {
      const members = membersOf(await online(session, masters, group)).length
      return { group, state: stateOf(members), members }
    })
    summaries.push(...(await Promise.all(some)))
  }
  return summaries
}

/** @throws RelayError NOT_FOUND */
export async function describeGroup(session: OperatorSession, group: string): Promise<GroupDescription> {
  const masters = await mastersOf(session, group)
  const connections = await online(session, masters, group)
  const holders = await holdersOf(session, group, connections)
  const partitions: GroupPartition[] = []
  for (const { address } of masters) {
    const header = { consumerGroup: serverName(group, session.settings) }
    const purpose = { doing: `reading the offsets of consumer group ${group}` }
    const stats = await session.askFor(ConsumeStats, address, REQUEST.GET_CONSUME_STATS, header, purpose)
    for (const [name, { brokerOffset, consumerOffset }] of Object.entries(stats.offsetTable)) {
      const { topic, brokerName: broker, queueId: partition } = queueOf(name)
      const committed = BigInt(consumerOffset)
      const end = BigInt(brokerOffset)
      const isKnown = committed >= 0n
      partitions.push({
        topic: adapterName(topic, session.settings) ?? topic,
        broker,
        partition,
        committedOffset: isKnown ? String(committed) : null,
        endOffset: String(end),
        lag: isKnown ? String(end - committed) : null,
        memberId: holders.get(placeOf(queueOf(name))) ?? null,
      })
    }
  }
  const members = membersOf(connections)
  const mode = modeOf(connections)
  return {
    group,
    state: stateOf(members.length),
    ...(mode && { mode }),
    subscriptions: subscriptionsOf(session, connections),
    members,
    partitions: partitions.sort(byPlace),
  }
}

/** With its retry topic; its dead letters stay. @throws RelayError NOT_FOUND, BROKER_REFUSED when it has members */
export async function deleteGroup(session: OperatorSession, group: string): Promise<void> {
  const masters = await mastersOf(session, group)
  const { length } = membersOf(await online(session, masters, group))
  if (length > 0) {
    const members = length === 1 ? '1 member' : `${length} members`
    throw new RelayError(
      'BROKER_REFUSED',
      `consumer group ${group} has ${members}, and RocketMQ would take its offsets from under them: stop its consumers first`,
    )
  }
  // The name of the second field has changed between versions.
  const header = {
    groupName: serverName(group, session.settings),
    removeOffset: true,
    cleanOffset: true,
  }
  for (const { address } of masters) {
    await session.ask(address, REQUEST.DELETE_GROUP, header, { doing: `deleting consumer group ${group}` })
  }
  await deleteTopic(session, `${RETRY_PREFIX}${group}`).catch((error: unknown) => {
    if (!(error instanceof RelayError && error.code === 'TOPIC_UNKNOWN')) throw error
  })
}

/** How many members the group has. @throws RelayError NOT_FOUND */
export async function membersOfGroup(session: OperatorSession, group: string): Promise<number> {
  return membersOf(await online(session, await mastersOf(session, group), group)).length
}

/** The masters that know the group. */
async function mastersOf(session: OperatorSession, group: string): Promise<Master[]> {
  const masters = await session.masters()
  const knowing: Master[] = []
  for (const master of masters) {
    if ((await groupNames(session, [master], true)).has(group)) knowing.push(master)
  }
  if (knowing.length > 0) return knowing
  throw new RelayError(
    'NOT_FOUND',
    `there is no consumer group "${group}" at RocketMQ ${session.nameServers}: \`bpmn-relay group list\` shows those there are`,
  )
}

async function groupNames(
  session: OperatorSession,
  masters: Master[],
  withSystem = false,
): Promise<Set<string>> {
  const names = new Set<string>()
  for (const { address } of masters) {
    const purpose = { doing: 'listing consumer groups' }
    const answer = await session.askFor(AllGroups, address, REQUEST.GET_ALL_GROUPS, {}, purpose)
    for (const name of Object.keys(answer.subscriptionGroupTable)) {
      const group = adapterName(name, session.settings)
      if (group !== undefined && (withSystem || !SYSTEM_GROUP.test(name))) names.add(group)
    }
  }
  return names
}

async function online(session: OperatorSession, masters: Master[], group: string): Promise<Online[]> {
  const purpose = { doing: `looking up the members of consumer group ${group}` }
  const header = { consumerGroup: serverName(group, session.settings) }
  const found: Online[] = []
  for (const master of masters) {
    const answer = await session.try(master.address, REQUEST.GET_CONNECTIONS, header, session.limitMs)
    if (answer.code === CONSUMER_NOT_ONLINE) continue
    if (answer.code !== 0) throw session.refusal(answer, master.address, purpose)
    const body = answer.body ?? Buffer.alloc(0)
    found.push({ ...parsed(Connections, body, master.address), master })
  }
  return found
}

/** Client ids by queue, as the members themselves tell: brokers do not know. Not all kinds of clients do. */
async function holdersOf(
  session: OperatorSession,
  group: string,
  connections: Online[],
): Promise<Map<string, string>> {
  const asked = new Map(
    connections.flatMap(({ connectionSet, master }) =>
      connectionSet.map(({ clientId }) => [clientId, master.address]),
    ),
  )
  const holders = new Map<string, string>()
  const asking = [...asked].map(async ([clientId, address]) => {
    for (const name of await queuesOf(session, group, clientId, address)) {
      holders.set(placeOf(queueOf(name)), clientId)
    }
  })
  await Promise.all(asking)
  return holders
}

async function queuesOf(
  session: OperatorSession,
  group: string,
  clientId: string,
  address: string,
): Promise<string[]> {
  const consumerGroup = serverName(group, session.settings)
  const header = { consumerGroup, clientId, jstackEnable: false }
  // The wait ends sooner than the request, as an unanswered one would close the connection under all others.
  const answer = await withTimeLimit(
    session.try(address, REQUEST.GET_RUNNING_INFO, header, RELAYED_LIMIT_MS),
    MEMBER_LIMIT_MS,
    () => new RelayError('BROKER_TIMEOUT', `consumer ${clientId} does not tell its queues`),
  ).catch(() => undefined)
  if (answer?.code !== 0 || !answer.body) return []
  return Object.keys(parsed(RunningInfo, answer.body, address).mqTable ?? {})
}

function membersOf(connections: Online[]): GroupDescription['members'] {
  const members = new Map<string, string>()
  for (const { connectionSet } of connections) {
    for (const { clientId, clientAddr } of connectionSet) members.set(clientId, clientAddr)
  }
  return [...members]
    .map(([clientId, host]) => ({ memberId: clientId, clientId, host }))
    .sort((a, b) => (a.clientId < b.clientId ? -1 : 1))
}

function modeOf(connections: Online[]): GroupDescription['mode'] {
  switch (connections[0]?.messageModel) {
    case 'CLUSTERING':
      return 'clustering'
    case 'BROADCASTING':
      return 'broadcasting'
    default:
      return undefined
  }
}

function subscriptionsOf(
  session: OperatorSession,
  connections: Online[],
): { topic: string; filter: string }[] {
  const filters = new Map<string, string>()
  for (const { subscriptionTable } of connections) {
    for (const { topic, subString } of Object.values(subscriptionTable)) {
      filters.set(adapterName(topic, session.settings) ?? topic, subString ?? '*')
    }
  }
  return [...filters]
    .map(([topic, filter]) => ({ topic, filter }))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1))
}

function stateOf(members: number): string {
  return members > 0 ? 'Active' : 'Empty'
}

function placeOf({ topic, brokerName, queueId }: ReturnType<typeof queueOf>): string {
  return `${topic} ${brokerName} ${queueId}`
}

function byPlace(a: GroupPartition, b: GroupPartition): number {
  const [first, second] = [`${a.topic} ${a.broker}`, `${b.topic} ${b.broker}`]
  return first === second ? a.partition - b.partition : first < second ? -1 : 1
}
