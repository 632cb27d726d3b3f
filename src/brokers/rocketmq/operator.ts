import type { Log } from '../../core/log.js'
import type { BrokerOperator, MessageRecord } from '../operator.js'
import { describeCluster } from './operator-cluster.js'
import { deleteGroup, describeGroup, listGroups } from './operator-groups.js'
import { type Found, findById, findByKey, recordOf } from './operator-messages.js'
import { moveGroup } from './operator-move-group.js'
import { consume, readTimes, type TopicReading } from './operator-read.js'
import { OperatorSession } from './operator-session.js'
import {
  alterTopic,
  createTopic,
  deleteTopic,
  describeTopic,
  listTopics,
  placesOf,
} from './operator-topics.js'
import type { RocketmqSettings } from './settings.js'

export function createRocketmqOperator(settings: RocketmqSettings, log: Log): BrokerOperator {
  return settings.protocol === 'grpc' ? grpcOperator() : remotingOperator(settings, log)
}

/** A proxy sends and hands out messages; it manages nothing, and who reads through it joins a group. */
function grpcOperator(): BrokerOperator {
  return {
    insteadOfMissing:
      'protocol "grpc" has no requests for it; use an adapter with protocol "remoting", whose address is the name servers',
    close: async () => undefined,
  }
}

function remotingOperator(settings: RocketmqSettings, log: Log): BrokerOperator {
  const session = new OperatorSession(settings, log)

  async function mastersOf(topic: string, doing: string) {
    return (await placesOf(session, topic, { doing, topic })).map(({ master }) => master)
  }

  async function readingOf(name: string): Promise<TopicReading> {
    const [topic, masters] = await Promise.all([describeTopic(session, name), session.masters()])
    const addressOf = new Map(masters.map(({ broker, address }) => [broker, address]))
    return { topic, addressOf, settings, log }
  }

  async function recordsOf(topic: string, found: Found[], max: number): Promise<MessageRecord[]> {
    const newest = found.sort(([, a], [, b]) => a.storedAt - b.storedAt).slice(-max)
    return await Promise.all(newest.map((each) => recordOf(topic, each)))
  }

  return {
    describeCluster: () => describeCluster(session),
    listTopics: () => listTopics(session),
    describeTopic: (topic) => describeTopic(session, topic),
    createTopic: (topic) => createTopic(session, topic),
    alterTopic: (topic, change) => alterTopic(session, topic, change),
    deleteTopic: (topic) => deleteTopic(session, topic),
    listGroups: () => listGroups(session),
    describeGroup: (group) => describeGroup(session, group),
    deleteGroup: (group) => deleteGroup(session, group),
    moveGroup: (request) => moveGroup(request, session, log),

    async consume(request, onMessage) {
      await consume(await readingOf(request.topic), request, onMessage)
    },

    async findMessages(topic, id) {
      const masters = await mastersOf(topic, `looking up message ${id}`)
      return await recordsOf(topic, await findById(session, masters, topic, id), Number.POSITIVE_INFINITY)
    },

    async queryMessages({ key, ...query }) {
      const { topic, since, until, max } = query
      if (key === undefined) {
        return await recordsOf(topic, await readTimes(await readingOf(topic), { since, until, max }), max)
      }
      const masters = await mastersOf(topic, `looking up messages of topic ${topic}`)
      return await recordsOf(topic, await findByKey(session, masters, { ...query, key }), max)
    },

    close: () => session.close(),
  }
}
