import { type Command, Option } from 'commander'
import { MESSAGE_ORDERS, type MessageFilter } from '../brokers/subscription.js'
import {
  ACKNOWLEDGE,
  ON_UNDESERIALIZABLE,
  type TriggerAction,
  type TriggerSettings,
} from '../trigger/trigger.js'
import { DEFAULT_COMPLETION_TIMEOUT_MS, TRIGGER_DEFAULTS } from '../trigger/trigger-defaults.js'
import { parseMilliseconds, wholeNumber } from './arguments.js'
import { type ActionOptions, actionOf, withActionOptions } from './trigger-action.js'

/** What is given of a trigger; false: taken away. */
export interface SettingOptions extends ActionOptions {
  name?: string
  description?: string
  adapter?: string
  topic?: string[]
  topicPattern?: string
  tag?: string[]
  sql?: string
  filter?: false
  group?: string
  order?: TriggerSettings['order']
  concurrency?: number | false
  condition?: string | false
  variables?: string | false
  acknowledge?: TriggerSettings['acknowledge']
  completionTimeout?: number
  initialOffset?: string
  onUndeserializable?: TriggerSettings['onUndeserializable']
  maxAttempts?: number
  retryBackOff?: number
  retryBackOffMax?: number
  deadLetterTopic?: string | false
  deadLetterAdapter?: string
}

const {
  order,
  acknowledge,
  initialOffset,
  onUndeserializable,
  maxAttempts,
  retryBackOffMs,
  retryBackOffMaxMs,
} = TRIGGER_DEFAULTS
const seconds = (ms: number) => `${ms / 1000}s`

export function withSettingOptions(command: Command): Command {
  return withHandling(withActionOptions(withSource(command)))
}

function withSource(command: Command): Command {
  return command
    .option('--description <text>', 'what it is for')
    .option('--adapter <name>', 'of the broker to listen to, by name or id')
    .option('--topic <topic...>', 'which to listen to')
    .option('--topic-pattern <regexp>', 'instead: topics whose whole name matches, also those made later')
    .option('--tag <tag...>', 'RocketMQ: messages with one of these tags only; default: all')
    .addOption(
      new Option(
        '--sql <expression>',
        'RocketMQ: messages whose properties meet this only; default: all',
      ).conflicts('tag'),
    )
    .option('--group <group>', 'consumer group; default: bpmn-relay-NAME, kept when the name changes')
    .addOption(
      new Option('--order <order>', `what keeps its order; default: ${order}`).choices(MESSAGE_ORDERS),
    )
    .option(
      '--concurrency <count>',
      'messages that one worker handles at a time; default: what the adapter says',
      wholeNumber(1, 1000),
    )
    .option(
      '--initial-offset <position>',
      `latest or earliest: where a partition begins that has no offset, or one out of range; default: ${initialOffset}`,
    )
}

function withHandling(command: Command): Command {
  return command
    .option('--condition <feel>', 'act on messages for which this is true only; default: all')
    .option('--variables <feel>', 'of the instance or BPMN message; default: payload and attribute')
    .addOption(
      new Option('--acknowledge <when>', `when a message is done; default: ${acknowledge}`).choices(
        ACKNOWLEDGE,
      ),
    )
    .option(
      '--completion-timeout <duration>',
      `with acknowledge completed: afterwards it is a dead letter; default: ${seconds(DEFAULT_COMPLETION_TIMEOUT_MS)}`,
      parseMilliseconds,
    )
    .addOption(
      new Option(
        '--on-undeserializable <what>',
        `what becomes of a message that cannot be read; default: ${onUndeserializable}`,
      ).choices(ON_UNDESERIALIZABLE),
    )
    .option(
      '--max-attempts <count>',
      `of one message, before it is a dead letter; default: ${maxAttempts}`,
      wholeNumber(1, 1000),
    )
    .option(
      '--retry-back-off <duration>',
      `before the second attempt; doubles with each; default: ${seconds(retryBackOffMs)}`,
      parseMilliseconds,
    )
    .option(
      '--retry-back-off-max <duration>',
      `longest back-off; default: ${seconds(retryBackOffMaxMs)}`,
      parseMilliseconds,
    )
    .option(
      '--dead-letter-topic <topic>',
      'where dead letters are also sent; default: nowhere, Postgres keeps them',
    )
    .option('--dead-letter-adapter <name>', 'through which, by name or id; default: the one listened to')
}

/** For a trigger that is there already. */
export function withRemovingOptions(command: Command): Command {
  return command
    .option('--no-filter', 'RocketMQ: all messages')
    .option('--no-concurrency', 'what the adapter says')
    .option('--no-condition', 'all messages')
    .option('--no-variables', 'payload and attribute')
    .option('--no-message-id', 'its id at the broker')
    .option('--no-dead-letter-topic', 'keep dead letters in Postgres only')
}

/**
 * What the options say of a trigger; nothing of what is not given.
 * @param known what the trigger does so far
 */
export async function settingsOf(
  options: SettingOptions,
  known: TriggerAction | undefined,
  adapterOf: (idOrName: string) => Promise<{ id: string }>,
  command: Command,
): Promise<Partial<TriggerSettings>> {
  const { parseInitialOffset } = await import('../trigger/positions.js')
  const { name, description, adapter, topic, topicPattern, group, order, concurrency, condition, variables } =
    options
  const { deadLetterTopic, deadLetterAdapter } = options
  const filter = filterOf(options)
  const action = await actionOf(options, known, adapterOf, command)
  return {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(adapter !== undefined && { adapterId: (await adapterOf(adapter)).id }),
    ...(topic !== undefined && { topics: topic }),
    ...(topicPattern !== undefined && { topicPattern }),
    ...(filter !== undefined && { filter }),
    ...(group !== undefined && { group }),
    ...(order !== undefined && { order }),
    ...(concurrency !== undefined && { concurrency: concurrency || null }),
    ...(action !== undefined && { action }),
    ...(condition !== undefined && { activationCondition: condition || null }),
    ...(variables !== undefined && { variables: variables || null }),
    ...(options.acknowledge !== undefined && { acknowledge: options.acknowledge }),
    ...(options.completionTimeout !== undefined && { completionTimeoutMs: options.completionTimeout }),
    ...(options.initialOffset !== undefined && { initialOffset: parseInitialOffset(options.initialOffset) }),
    ...(options.onUndeserializable !== undefined && { onUndeserializable: options.onUndeserializable }),
    ...(options.maxAttempts !== undefined && { maxAttempts: options.maxAttempts }),
    ...(options.retryBackOff !== undefined && { retryBackOffMs: options.retryBackOff }),
    ...(options.retryBackOffMax !== undefined && { retryBackOffMaxMs: options.retryBackOffMax }),
    ...(deadLetterTopic !== undefined && { deadLetterTopic: deadLetterTopic || null }),
    ...(deadLetterTopic === false && { deadLetterAdapterId: null }),
    ...(deadLetterAdapter !== undefined && { deadLetterAdapterId: (await adapterOf(deadLetterAdapter)).id }),
  }
}

function filterOf({ tag, sql, filter }: SettingOptions): MessageFilter | null | undefined {
  if (tag !== undefined) return { tags: tag }
  if (sql !== undefined) return { sql }
  return filter === false ? null : undefined
}
