import kafkajs, { type Admin } from 'kafkajs'
import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import type { BrokerOperator, PartitionDescription, PartitionedTopic, TopicConfig } from '../operator.js'
import { aclOf, entryOf, filterOf } from './acls.js'
import { AdminSession } from './admin-session.js'
import type { KafkaClients } from './client.js'
import { consume } from './consume.js'
import { judge, rootCause } from './errors.js'
import { describeGroup, listGroups } from './groups.js'
import { errorOfCode, type Metadata } from './link.js'
import { moveGroup } from './move-group.js'
import { Nodes } from './nodes.js'
import type { KafkaSettings } from './settings.js'

const { ConfigResourceTypes, ConfigSource } = kafkajs
/** What Kafka's protocol says for "as the brokers are configured". */
const BROKER_DEFAULT = -1

/** All that operators can do with a broker, but what only RocketMQ knows. */
export type KafkaOperator = Required<
  Omit<BrokerOperator, 'describeTopic' | 'findMessages' | 'queryMessages' | 'insteadOfMissing'>
> & { describeTopic(topic: string): Promise<PartitionedTopic> }

export function createKafkaOperator(settings: KafkaSettings, clients: KafkaClients, log: Log): KafkaOperator {
  const session = new AdminSession(settings, clients)
  const nodes = new Nodes(settings, clients)
  const ask = <T>(doing: string, question: (admin: Admin) => Promise<T>) => session.ask(doing, question)
  const servers = settings.bootstrapServers.join(',')

  /** Asked without kafkajs's admin client, which fails where one partition has no leader. */
  async function layoutsOf(topics: readonly string[]): Promise<Metadata['topicMetadata']> {
    const link = await nodes.any()
    return (await link.metadata(topics, false)).topicMetadata
  }

  async function partitionsOf(topic: string): Promise<PartitionDescription[]> {
    const [layout] = await layoutsOf([topic])
    const code = layout?.topicErrorCode ?? 0
    if (code !== 0) {
      const { error } = judge(errorOfCode(code), `looking up topic ${topic}`, settings)
      if (error.code !== 'TOPIC_UNKNOWN') throw error
      const message = `topic ${topic} does not exist at Kafka ${servers}: \`bpmn-relay topic list\` shows those there are`
      throw new RelayError('TOPIC_UNKNOWN', message, { cause: error })
    }
    return (layout?.partitionMetadata ?? [])
      .map(({ partitionId, leader, replicas, isr }) => ({
        partition: partitionId,
        leader: leader < 0 ? null : String(leader),
        replicas: replicas.map(String),
        inSyncReplicas: isr.map(String),
      }))
      .sort((a, b) => a.partition - b.partition)
  }

  async function configsOf(topic: string): Promise<TopicConfig[]> {
    const link = await nodes.any()
    return (await link.topicConfigs(topic))
      .map(({ configName, configValue, configSource }) => ({
        name: configName,
        value: configValue,
        isOverridden: configSource === ConfigSource.TOPIC_CONFIG,
      }))
      .sort(by(({ name }) => name))
  }

  return {
    async describeCluster() {
      const { brokers, controller, clusterId } = await ask('describing the cluster', (admin) =>
        admin.describeCluster(),
      )
      return {
        clusterId: clusterId || null,
        controller: controller === null ? null : String(controller),
        brokers: brokers
          .sort((a, b) => a.nodeId - b.nodeId)
          .map(({ nodeId, host, port }) => ({ id: String(nodeId), address: `${host}:${port}` })),
      }
    },

    async listTopics() {
      return (await layoutsOf([]))
        .map(({ topic, partitionMetadata }) => ({
          topic,
          partitions: partitionMetadata.length,
          replicationFactor: partitionMetadata[0]?.replicas.length ?? 0,
        }))
        .sort(by(({ topic }) => topic))
    },

    async describeTopic(topic) {
      return { topic, partitions: await partitionsOf(topic), configs: await configsOf(topic) }
    },

    async createTopic({ topic, partitions, replicationFactor, type, configs }) {
      refuseOfRocketmq('type', type)
      const isNew = await ask(`creating topic ${topic}`, (admin) =>
        admin.createTopics({
          topics: [
            {
              topic,
              numPartitions: partitions ?? BROKER_DEFAULT,
              replicationFactor: replicationFactor ?? BROKER_DEFAULT,
              configEntries: entriesOf(configs),
            },
          ],
        }),
      )
      if (isNew) return
      throw new RelayError(
        'NAME_TAKEN',
        `there is a topic ${topic} at Kafka ${servers} already: choose another name or alter that topic`,
      )
    },

    async alterTopic(topic, { partitions, configs, removedConfigs }) {
      await partitionsOf(topic)
      const grow = async (validateOnly: boolean): Promise<void> => {
        if (partitions === undefined) return
        await ask(`changing topic ${topic} to ${partitions} partitions`, (admin) =>
          admin.createPartitions({ topicPartitions: [{ topic, count: partitions }], validateOnly }),
        )
      }
      // So that nothing is changed when one of the two is refused.
      await grow(true)
      if (Object.keys(configs).length > 0 || removedConfigs.length > 0) {
        // The request kafkajs knows replaces all configs of the topic: those to keep are part of it.
        const kept = (await configsOf(topic)).flatMap(({ name, value, isOverridden }) =>
          isOverridden && value !== null && !removedConfigs.includes(name) ? [[name, value]] : [],
        )
        const configEntries = entriesOf({ ...Object.fromEntries(kept), ...configs })
        await ask(`changing the configs of topic ${topic}`, (admin) =>
          admin.alterConfigs({
            validateOnly: false,
            resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
          }),
        )
      }
      await grow(false)
    },

    async deleteTopic(topic) {
      await partitionsOf(topic)
      await ask(`deleting topic ${topic}`, (admin) => admin.deleteTopics({ topics: [topic] })).catch(
        (error: unknown) => {
          if (!isInvalidRequest(error)) throw error
          // To the version of the request that kafkajs knows, brokers only say that it is invalid.
          const message = `Kafka ${servers} refuses to delete topic ${topic}: Topic deletion is disabled: set delete.topic.enable=true on the brokers`
          throw new RelayError('BROKER_REFUSED', message, { cause: error })
        },
      )
    },

    async listAcls(filter) {
      const { resources } = await ask('listing ACLs', (admin) => admin.describeAcls(filterOf(filter)))
      return resources
        .flatMap(({ acls, ...resource }) => acls.map((acl) => aclOf({ ...resource, ...acl })))
        .sort(by((acl) => `${acl.resourceType} ${acl.resourceName} ${acl.principal} ${acl.operation}`))
    },

    async createAcl(acl) {
      await ask('creating an ACL', (admin) => admin.createAcls({ acl: [entryOf(acl)] }))
    },

    async deleteAcls(filter) {
      const { filterResponses } = await ask('deleting ACLs', (admin) =>
        admin.deleteAcls({ filters: [filterOf(filter)] }),
      )
      return filterResponses.flatMap(({ matchingAcls }) => matchingAcls.map(aclOf))
    },

    listGroups: () => listGroups(ask),
    describeGroup: (group) => describeGroup(group, ask),

    async deleteGroup(group) {
      await ask(`deleting consumer group ${group}`, (admin) => admin.deleteGroups([group]))
    },

    moveGroup: (request) => moveGroup(request, { ask, clients, nodes, settings, log }),

    async consume(request, onMessage) {
      refuseOfRocketmq('tags', request.tags)
      refuseOfRocketmq('broker', request.broker)
      const partitions = (await partitionsOf(request.topic)).map(({ partition }) => partition)
      await consume({ request, partitions, onMessage, ask, clients, settings, log })
    },

    close: () => clients.close(),
  }
}

function isInvalidRequest(error: unknown): boolean {
  const cause = error instanceof RelayError ? rootCause(error.cause) : undefined
  return cause instanceof kafkajs.KafkaJSProtocolError && cause.type === 'INVALID_REQUEST'
}

function entriesOf(configs: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(configs).map(([name, value]) => ({ name, value }))
}

function by<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : 1)
}

/** @throws RelayError NOT_SUPPORTED */
function refuseOfRocketmq(what: string, value: unknown): void {
  if (value === undefined) return
  throw new RelayError('NOT_SUPPORTED', `${what} belongs to RocketMQ, and Kafka has none: leave it out`)
}
