import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { RelayError, toRelayError } from '../../core/errors.js'
import { pause } from '../../core/time-limit.js'
import type { NewTopic, QueueDescription, QueuedTopic, QueuedTopicSummary, TopicChange } from '../operator.js'
import { versionOf } from './operator-cluster.js'
import { adapterName, serverName } from './operator-names.js'
import { type Master, type OperatorSession, parsed } from './operator-session.js'
import {
  changed,
  configsOf,
  READ,
  TopicSettings,
  TYPE_ATTRIBUTE,
  typeOf,
  WRITE,
} from './operator-topic-settings.js'

const REQUEST = {
  UPDATE_AND_CREATE_TOPIC: 17,
  GET_ALL_TOPIC_CONFIG: 21,
  GET_ROUTE: 105,
  GET_TOPIC_STATS: 202,
  DELETE_TOPIC_IN_BROKER: 215,
  DELETE_TOPIC_IN_NAME_SERVER: 216,
  GET_SYSTEM_TOPICS: 305,
} as const
/** What RocketMQ's own admin tool gives a topic. */
const DEFAULT_QUEUES = 8
const SYSTEM_PREFIX = 'rmq_sys_'
const ROUTE_LIMIT_MS = 15_000
const ROUTE_POLL_MS = 50

const AllSettings = Type.Object({ topicConfigTable: Type.Record(Type.String(), TopicSettings) })
const TopicNames = Type.Object({ topicList: Type.Array(Type.String()) })
const Route = Type.Object({ queueDatas: Type.Array(Type.Object({ brokerName: Type.String() })) })
const Offset = Type.Union([Type.Integer(), Type.String()])
const Stats = Type.Object({
  offsetTable: Type.Record(
    Type.String(),
    Type.Object({ minOffset: Offset, maxOffset: Offset, lastUpdateTimestamp: Type.Integer() }),
  ),
})
/** The form of names in tables of queues. */
const QueueName = Type.Object({ topic: Type.String(), brokerName: Type.String(), queueId: Type.Integer() })

/** @throws when it is no such name. */
export function queueOf(name: string): { topic: string; brokerName: string; queueId: number } {
  return Value.Parse(QueueName, JSON.parse(name))
}

export async function listTopics(session: OperatorSession): Promise<QueuedTopicSummary[]> {
  const topics = new Map<string, QueuedTopicSummary>()
  for (const master of await session.masters()) {
    const isSystem = await systemTopicsOf(session, master)
    const settings = await allSettings(session, master, { doing: 'listing topics' })
    for (const [name, { attributes, readQueueNums, writeQueueNums }] of Object.entries(settings)) {
      const topic = adapterName(name, session.settings)
      if (topic === undefined || isSystem(name)) continue
      const before = topics.get(topic)?.queues ?? 0
      const queues = before + Math.max(readQueueNums, writeQueueNums)
      topics.set(topic, { topic, type: typeOf(topic, attributes), queues })
    }
  }
  return [...topics.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1))
}

/** @throws RelayError TOPIC_UNKNOWN */
export async function describeTopic(session: OperatorSession, topic: string): Promise<QueuedTopic> {
  const queues: QueueDescription[] = []
  const places = await placesOf(session, topic, { doing: `describing topic ${topic}`, topic })
  for (const { master, settings } of places) {
    const header = { topic: serverName(topic, session.settings) }
    const purpose = { doing: `reading the offsets of topic ${topic}`, topic }
    const { offsetTable } = await session.askFor(
      Stats,
      master.address,
      REQUEST.GET_TOPIC_STATS,
      header,
      purpose,
    )
    for (const [name, { minOffset, maxOffset, lastUpdateTimestamp }] of Object.entries(offsetTable)) {
      const queue = queueOf(name).queueId
      queues.push({
        broker: master.broker,
        queue,
        readable: (settings.perm & READ) !== 0 && queue < settings.readQueueNums,
        writable: (settings.perm & WRITE) !== 0 && queue < settings.writeQueueNums,
        firstOffset: String(minOffset),
        endOffset: String(maxOffset),
        lastStoredAt: lastUpdateTimestamp > 0 ? lastUpdateTimestamp : null,
      })
    }
  }
  const [first] = places
  return {
    topic,
    type: typeOf(topic, first?.settings.attributes),
    queues: queues.sort((a, b) => (a.broker === b.broker ? a.queue - b.queue : a.broker < b.broker ? -1 : 1)),
    configs: first ? configsOf(first.settings) : [],
  }
}

/** On every master. @throws RelayError NAME_TAKEN, NOT_SUPPORTED, TOPIC_INVALID, BROKER_REFUSED */
export async function createTopic(session: OperatorSession, request: NewTopic): Promise<void> {
  const { topic, partitions, replicationFactor, type, configs } = request
  if (replicationFactor !== undefined) {
    throw new RelayError(
      'NOT_SUPPORTED',
      'RocketMQ copies whole brokers, not topics: leave the replication factor out',
    )
  }
  const doing = `creating topic ${topic}`
  const masters = await session.masters()
  const taken = await placesAmong(session, masters, topic, { doing })
  if (taken.length > 0) {
    throw new RelayError(
      'NAME_TAKEN',
      `there is a topic ${topic} at RocketMQ ${session.nameServers} already: choose another name or alter that topic`,
    )
  }
  const { settings, attributes } = changed(
    { readQueueNums: DEFAULT_QUEUES, writeQueueNums: DEFAULT_QUEUES, perm: READ | WRITE },
    { partitions, configs, removedConfigs: [] },
  )
  if (type !== undefined) attributes.push(`+${TYPE_ATTRIBUTE}=${type.toUpperCase()}`)
  for (const master of masters) if (attributes.length > 0) await refuseBefore5(session, master, attributes)
  await onEach(masters, async (master) => {
    await write(session, master, topic, settings, attributes, doing)
  })
  await untilRouted(session, topic, masters)
}

/** On the masters that have it. @throws RelayError TOPIC_UNKNOWN, INPUT_INVALID, BROKER_REFUSED */
export async function alterTopic(
  session: OperatorSession,
  topic: string,
  change: TopicChange,
): Promise<void> {
  const doing = `changing topic ${topic}`
  const places = await placesOf(session, topic, { doing, topic })
  const planned: { master: Master; settings: TopicSettings; attributes: string[] }[] = []
  for (const { master, settings: before } of places) {
    if (change.partitions !== undefined && change.partitions < before.readQueueNums) {
      throw new RelayError(
        'INPUT_INVALID',
        `topic ${topic} has ${before.readQueueNums} queues on ${master.broker}: messages in those taken away could not be ` +
          `read any more; take them out of use by config writeQueueNums=${change.partitions}, and away by readQueueNums once they are read`,
      )
    }
    const { settings, attributes } = changed(before, change)
    if (attributes.length > 0) await refuseBefore5(session, master, attributes)
    planned.push({ master, settings, attributes })
  }
  await onEach(planned, async ({ master, settings, attributes }) => {
    await write(session, master, topic, settings, attributes, doing)
  })
}

/** @throws RelayError TOPIC_UNKNOWN, BROKER_REFUSED */
export async function deleteTopic(session: OperatorSession, topic: string): Promise<void> {
  const purpose = { doing: `deleting topic ${topic}`, topic }
  const places = await placesOf(session, topic, purpose)
  const header = { topic: serverName(topic, session.settings) }
  await onEach(places, ({ master }) =>
    session.ask(master.address, REQUEST.DELETE_TOPIC_IN_BROKER, header, purpose),
  )
  for (const address of session.settings.addresses) {
    await session.ask(address, REQUEST.DELETE_TOPIC_IN_NAME_SERVER, header, purpose)
  }
}

/** The masters a topic is on, and its settings there. @throws RelayError TOPIC_UNKNOWN */
export async function placesOf(
  session: OperatorSession,
  topic: string,
  purpose: { doing: string; topic: string },
): Promise<{ master: Master; settings: TopicSettings }[]> {
  const places = await placesAmong(session, await session.masters(), topic, purpose)
  if (places.length > 0) return places
  throw session.unknownTopic(topic)
}

async function placesAmong(
  session: OperatorSession,
  masters: Master[],
  topic: string,
  purpose: { doing: string },
): Promise<{ master: Master; settings: TopicSettings }[]> {
  const name = serverName(topic, session.settings)
  const found = await Promise.all(
    masters.map(async (master) => ({
      master,
      settings: (await allSettings(session, master, purpose))[name],
    })),
  )
  return found.flatMap(({ master, settings }) => (settings ? [{ master, settings }] : []))
}

async function allSettings(
  session: OperatorSession,
  { address }: Master,
  purpose: { doing: string },
): Promise<Record<string, TopicSettings>> {
  const answer = await session.askFor(AllSettings, address, REQUEST.GET_ALL_TOPIC_CONFIG, {}, purpose)
  return answer.topicConfigTable
}

async function systemTopicsOf(
  session: OperatorSession,
  { address }: Master,
): Promise<(name: string) => boolean> {
  const purpose = { doing: 'listing topics' }
  const { topicList } = await session.askFor(TopicNames, address, REQUEST.GET_SYSTEM_TOPICS, {}, purpose)
  const names = new Set(topicList)
  return (name) => names.has(name) || name.startsWith(SYSTEM_PREFIX)
}

async function write(
  session: OperatorSession,
  { address }: Master,
  topic: string,
  settings: TopicSettings,
  attributes: string[],
  doing: string,
): Promise<void> {
  const { readQueueNums, writeQueueNums, perm, order = false, topicSysFlag = 0 } = settings
  const header = {
    topic: serverName(topic, session.settings),
    defaultTopic: 'TBW102',
    ...{ readQueueNums, writeQueueNums, perm, order, topicSysFlag },
    topicFilterType: 'SINGLE_TAG',
    ...(attributes.length > 0 && { attributes: attributes.join(',') }),
  }
  await session.ask(address, REQUEST.UPDATE_AND_CREATE_TOPIC, header, { doing })
}

/** Brokers before 5.0 leave out what they do not know, without a word. @throws RelayError NOT_SUPPORTED */
async function refuseBefore5(session: OperatorSession, master: Master, attributes: string[]): Promise<void> {
  const version = await versionOf(session, master.address)
  if (!/^[0-4]\./.test(version)) return
  const isTyped = attributes.some((attribute) => attribute.startsWith(`+${TYPE_ATTRIBUTE}=`))
  const what = isTyped
    ? 'topic types: leave the type out'
    : `such topic configs: leave ${attributes.join(', ')} out`
  throw new RelayError(
    'NOT_SUPPORTED',
    `${master.broker} at ${master.address} runs RocketMQ ${version}, and only 5.0 and later have ${what}`,
  )
}

/** One broker after the other; a failure tells which are done. */
async function onEach<T extends { broker: string } | { master: Master }>(
  places: readonly T[],
  work: (place: T) => Promise<unknown>,
): Promise<void> {
  const done: string[] = []
  for (const place of places) {
    try {
      await work(place)
    } catch (thrown) {
      const { code, message, cause } = toRelayError(thrown)
      const sofar = done.length > 0 ? `; it is done on ${done.join(', ')} already` : ''
      throw new RelayError(code, message + sofar, { cause })
    }
    done.push('master' in place ? place.master.broker : place.broker)
  }
}

/** Until the name server sends messages of the topic to all of the brokers. */
async function untilRouted(session: OperatorSession, topic: string, masters: Master[]): Promise<void> {
  const purpose = { doing: `creating topic ${topic}`, topic }
  const header = { topic: serverName(topic, session.settings) }
  const giveUpAt = performance.now() + ROUTE_LIMIT_MS
  for (;;) {
    const routed = new Set<string>()
    try {
      const { body } = await session.askNameServer(REQUEST.GET_ROUTE, header, purpose)
      for (const { brokerName } of parsed(Route, body, session.nameServers).queueDatas) routed.add(brokerName)
    } catch (error) {
      if (!(error instanceof RelayError && error.code === 'TOPIC_UNKNOWN')) throw error
    }
    const missing = masters.filter(({ broker }) => !routed.has(broker))
    if (missing.length === 0) return
    if (performance.now() > giveUpAt) {
      const names = missing.map(({ broker }) => broker).join(', ')
      throw new RelayError(
        'BROKER_TIMEOUT',
        `topic ${topic} is made, but the name server at ${session.nameServers} does not know it of ${names} yet`,
      )
    }
    await pause(ROUTE_POLL_MS)
  }
}
