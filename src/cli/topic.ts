import { type Command, Option } from 'commander'
import {
  type PartitionedTopic,
  type PartitionedTopicSummary,
  type QueuedTopic,
  type QueuedTopicSummary,
  TOPIC_TYPES,
  type TopicConfig,
  type TopicDescription,
  type TopicSummary,
  type TopicType,
} from '../brokers/operator.js'
import { collectPairs, wholeNumber } from './arguments.js'
import { confirm } from './ask.js'
import { withAdapterAdmin } from './context.js'
import { table } from './table.js'

const ADAPTER = ['--adapter <name>', 'the adapter to go through, by name or id'] as const
const MOST_PARTITIONS = 100_000
const MOST_REPLICAS = 1000

export function addTopicCommands(program: Command): void {
  const topic = program.command('topic').description('Topics of the brokers behind an adapter.')

  topic
    .command('list')
    .description('Show all topics.')
    .requiredOption(...ADAPTER)
    .option('--json', 'as JSON')
    .action(listTopics)

  topic
    .command('create <topic>')
    .description('Make a topic.')
    .requiredOption(...ADAPTER)
    .option(
      '--partitions <count>',
      "how many (default: the brokers' num.partitions); RocketMQ: queues on each broker (default: 8)",
      wholeNumber(1, MOST_PARTITIONS),
    )
    .addOption(
      new Option('--type <type>', 'RocketMQ 5: what messages it takes (default: normal)').choices(
        TOPIC_TYPES,
      ),
    )
    .option(
      '--replication-factor <count>',
      "copies of each partition (default: the brokers' default.replication.factor)",
      wholeNumber(1, MOST_REPLICAS),
    )
    .option('--config <name=value>', 'a config of the topic; may be repeated', collectPairs)
    .addHelpText(
      'after',
      `
Example:
  bpmn-relay topic create orders --adapter orders-kafka --partitions 6 --replication-factor 3 \\
    --config retention.ms=604800000 --config cleanup.policy=delete
  bpmn-relay topic create steps --adapter orders-rocketmq --partitions 4 --type fifo`,
    )
    .action(createTopic)

  topic
    .command('describe <topic>')
    .description(
      'Show partitions with their leaders, replicas and in-sync replicas (ISR), or queues with their offsets, and the configs set.',
    )
    .requiredOption(...ADAPTER)
    .option('--all-configs', "show the brokers' defaults too")
    .option('--json', 'as JSON, with all configs')
    .action(describeTopic)

  topic
    .command('alter <topic>')
    .description('Add partitions, or change configs; what is not named stays as it is.')
    .requiredOption(...ADAPTER)
    .option(
      '--partitions <count>',
      'how many it shall have; it can only grow. RocketMQ: queues on each broker',
      wholeNumber(1, MOST_PARTITIONS),
    )
    .option('--config <name=value>', 'a config to set; may be repeated', collectPairs)
    .option('--delete-config <name...>', "configs that go back to the brokers' default")
    .addHelpText(
      'after',
      `
Messages of one key go to another partition once there are more partitions.

Examples:
  bpmn-relay topic alter orders --adapter orders-kafka --partitions 12
  bpmn-relay topic alter orders --adapter orders-kafka --config retention.ms=86400000 --delete-config cleanup.policy`,
    )
    .action(alterTopic)

  topic
    .command('delete <topic>')
    .description('Delete a topic with all its messages.')
    .requiredOption(...ADAPTER)
    .option('-y, --yes', 'delete without asking')
    .action(deleteTopic)
}

async function listTopics(options: { adapter: string; json?: true }): Promise<void> {
  await withAdapterAdmin(options.adapter, async (admin) => {
    const topics = await admin.can('listTopics')()
    if (options.json) console.log(JSON.stringify(topics, null, 2))
    else if (topics.length === 0)
      console.log('No topics yet: `bpmn-relay topic create --help` tells how to make one.')
    else console.log(listText(topics))
  })
}

function listText(topics: TopicSummary[]): string {
  const partitioned = topics.filter((each): each is PartitionedTopicSummary => 'partitions' in each)
  const queued = topics.filter((each): each is QueuedTopicSummary => 'queues' in each)
  if (queued.length > 0) {
    return table(
      [{ title: 'TOPIC' }, { title: 'TYPE' }, { title: 'QUEUES', align: 'right' }],
      queued.map(({ topic, type, queues }) => [topic, type ?? '-', String(queues)]),
    )
  }
  return table(
    [{ title: 'TOPIC' }, { title: 'PARTITIONS', align: 'right' }, { title: 'REPLICAS', align: 'right' }],
    partitioned.map(({ topic, partitions, replicationFactor }) => [
      topic,
      String(partitions),
      String(replicationFactor),
    ]),
  )
}

interface CreateOptions {
  adapter: string
  partitions?: number
  replicationFactor?: number
  type?: TopicType
  config?: [string, string][]
}

async function createTopic(topic: string, options: CreateOptions): Promise<void> {
  const { adapter, partitions, replicationFactor, type } = options
  const request = { partitions, replicationFactor, type, configs: Object.fromEntries(options.config ?? []) }
  await withAdapterAdmin(adapter, async (admin) => {
    const create = admin.can('createTopic')
    await admin.audited({ operation: 'topic.create', destination: topic, request }, () =>
      create({ topic, ...request }),
    )
    console.log(`Topic ${topic} is made.`)
  })
}

interface DescribeOptions {
  adapter: string
  allConfigs?: true
  json?: true
}

async function describeTopic(topic: string, options: DescribeOptions): Promise<void> {
  await withAdapterAdmin(options.adapter, async (admin) => {
    const description = await admin.can('describeTopic')(topic)
    if (options.json) console.log(JSON.stringify(description, null, 2))
    else console.log(topicText(description, options.allConfigs ?? false))
  })
}

function topicText(topic: TopicDescription, allConfigs: boolean): string {
  const shown = topic.configs.filter(({ isOverridden }) => allConfigs || isOverridden)
  return 'queues' in topic
    ? `${queuesText(topic)}\n\n${configsText(shown)}`
    : `${partitionsText(topic)}\n\n${configsText(shown)}`
}

function queuesText({ topic, type, queues }: QueuedTopic): string {
  const columns = [
    { title: 'QUEUE', align: 'right' },
    { title: 'BROKER' },
    { title: 'FIRST', align: 'right' },
    { title: 'END', align: 'right' },
    { title: 'LAST STORED' },
    { title: 'OPEN FOR' },
  ] as const
  const rows = queues.map(({ queue, broker, readable, writable, firstOffset, endOffset, lastStoredAt }) => [
    String(queue),
    broker,
    firstOffset,
    endOffset,
    lastStoredAt === null ? '-' : new Date(lastStoredAt).toISOString(),
    [readable ? 'read' : [], writable ? 'write' : []].flat().join(',') || 'nothing',
  ])
  const head = type === null ? `Topic ${topic}, without a type (RocketMQ 4)` : `Topic ${topic}, type ${type}`
  return `${head}\n\n${table(columns, rows)}`
}

function partitionsText({ partitions }: PartitionedTopic): string {
  return table(
    [{ title: 'PARTITION', align: 'right' }, { title: 'LEADER' }, { title: 'REPLICAS' }, { title: 'ISR' }],
    partitions.map(({ partition, leader, replicas, inSyncReplicas }) => [
      String(partition),
      leader ?? 'none',
      replicas.join(','),
      inSyncReplicas.join(','),
    ]),
  )
}

function configsText(configs: TopicConfig[]): string {
  if (configs.length === 0) return "No configs are set; all are the brokers' defaults."
  return table(
    ['CONFIG', 'VALUE', 'FROM'].map((title) => ({ title })),
    configs.map(({ name, value, isOverridden }) => [name, value ?? '', isOverridden ? 'topic' : 'default']),
  )
}

interface AlterOptions {
  adapter: string
  partitions?: number
  config?: [string, string][]
  deleteConfig?: string[]
}

async function alterTopic(topic: string, options: AlterOptions, command: Command): Promise<void> {
  const { adapter, partitions, config = [], deleteConfig = [] } = options
  if (partitions === undefined && config.length === 0 && deleteConfig.length === 0) {
    command.error('error: nothing to change: give --partitions, --config or --delete-config')
  }
  const change = { partitions, configs: Object.fromEntries(config), removedConfigs: deleteConfig }
  await withAdapterAdmin(adapter, async (admin) => {
    const alter = admin.can('alterTopic')
    await admin.audited({ operation: 'topic.alter', destination: topic, request: change }, () =>
      alter(topic, change),
    )
    console.log(`Topic ${topic} is changed.`)
  })
}

async function deleteTopic(
  topic: string,
  options: { adapter: string; yes?: true },
  command: Command,
): Promise<void> {
  const question = `Delete the topic "${topic}" of adapter "${options.adapter}" with all its messages?`
  if (!options.yes && !(await confirm(question, command))) return
  await withAdapterAdmin(options.adapter, async (admin) => {
    const remove = admin.can('deleteTopic')
    await admin.audited({ operation: 'topic.delete', destination: topic }, () => remove(topic))
    console.log(`Topic ${topic} is deleted.`)
  })
}
