import type { SourceLimits } from '../brokers/subscription.js'
import { RelayError } from '../core/errors.js'
import { feelExpression } from '../core/feel.js'
import { checkName } from '../core/names.js'
import { listensTo, topicPattern } from './topic-pattern.js'
import type { TriggerAction, TriggerSettings } from './trigger.js'
import type { TriggerAdapter, TriggerAdapters } from './trigger-adapters.js'
import { DEFAULT_COMPLETION_TIMEOUT_MS, TRIGGER_DEFAULTS } from './trigger-defaults.js'

const DAY_MS = 86_400_000

/** What a new trigger must say; the rest has defaults. */
export type NewTrigger = Pick<TriggerSettings, 'name' | 'adapterId' | 'action'> & Partial<TriggerSettings>

/** The whole settings of a new trigger, not checked yet. */
export function withDefaults(given: NewTrigger, adapters: TriggerAdapters): TriggerSettings {
  const { order: usual } = TRIGGER_DEFAULTS
  const orders = adapters(given.adapterId)?.orders ?? [usual]
  return {
    ...TRIGGER_DEFAULTS,
    topics: [],
    order: orders.includes(usual) ? usual : 'none',
    group: `bpmn-relay-${given.name}`,
    ...given,
  }
}

/** Settings with changes, not checked yet. What a change puts in the place of something else removes that. */
export function withChanges(known: TriggerSettings, changes: Partial<TriggerSettings>): TriggerSettings {
  const { topics = [], topicPattern = null, acknowledge = 'completed' } = changes
  return {
    ...known,
    ...(topics.length > 0 && { topicPattern: null }),
    ...(topicPattern !== null && { topics: [] }),
    ...(acknowledge !== 'completed' && { completionTimeoutMs: null }),
    ...changes,
  }
}

/**
 * The settings as they are kept, each alone and all together found good.
 * @throws RelayError SETTINGS_INVALID naming the setting, its value and what would be right
 */
export function checkedTrigger(given: TriggerSettings, adapters: TriggerAdapters): TriggerSettings {
  checkName(given.name)
  const adapter = known('adapter', given.adapterId, adapters)
  checkTopics(given, adapter)
  checkLimits(given)
  checkAction(given, adapters)
  checkDeadLetters(given, adapters)
  checkExpression('activationCondition', given.activationCondition)
  checkExpression('variables', given.variables)
  const settings = { ...given, completionTimeoutMs: completionTimeoutOf(given) }
  checkSource(settings, adapter)
  return settings
}

/**
 * How many messages one worker handles at a time, as the trigger says or else its adapter.
 * @throws RelayError naming what its broker, or its protocol, cannot do
 */
export function limitsOf(
  { group, topics, filter, order, concurrency, initialOffset }: TriggerSettings,
  adapter: TriggerAdapter,
): SourceLimits | undefined {
  return adapter.checkSource({
    ...{ group, order },
    // What a pattern will find is not known yet; the filter is the same for all of it.
    topics: (topics.length > 0 ? topics : ['any']).map((topic) => ({ topic, filter: filter ?? undefined })),
    from: { at: initialOffset },
    concurrency: concurrency ?? undefined,
  })
}

function known(field: string, id: string, adapters: TriggerAdapters): TriggerAdapter {
  const adapter = adapters(id)
  if (adapter) return adapter
  throw invalid(`${field} ${id} is not there: \`bpmn-relay adapter list\` shows those there are`)
}

function checkTopics({ topics, topicPattern: pattern, filter }: TriggerSettings, adapter: TriggerAdapter) {
  if (pattern === null && topics.length === 0) {
    throw invalid('topics is empty and there is no topicPattern: give one or the other')
  }
  if (pattern !== null) {
    if (topics.length > 0) {
      throw invalid(
        `topics ${topics.join(', ')} and topicPattern ${pattern} exclude each other: leave one of them out`,
      )
    }
    topicPattern(pattern)
    if (!adapter.listsTopics) {
      throw invalid(
        `topicPattern ${pattern} cannot be used with adapter "${adapter.name}", whose protocol does not list topics: give topics instead`,
      )
    }
  }
  for (const topic of topics) checkTopic('topics', topic)
  const twice = topics.find((topic, index) => topics.indexOf(topic) !== index)
  if (twice !== undefined) throw invalid(`topics names "${twice}" twice: once is enough`)
  if (filter !== null && !adapter.filters) {
    throw invalid(
      `filter is set, and adapter "${adapter.name}" is of kind ${adapter.kind}, which has none: leave it out, or use activationCondition`,
    )
  }
}

function checkTopic(field: string, topic: string): void {
  if (topic !== '' && !/\s/.test(topic)) return
  throw invalid(`${field} has ${JSON.stringify(topic)}: a name of a topic is not empty and has no spaces`)
}

function checkLimits(settings: TriggerSettings): void {
  const { concurrency, maxAttempts, retryBackOffMs, retryBackOffMaxMs } = settings
  if (concurrency !== null) checkWhole('concurrency', concurrency, 1, 1000)
  checkWhole('maxAttempts', maxAttempts, 1, 1000)
  checkWhole('retryBackOffMs', retryBackOffMs, 1, DAY_MS)
  checkWhole('retryBackOffMaxMs', retryBackOffMaxMs, 1, DAY_MS)
  if (retryBackOffMs > retryBackOffMaxMs) {
    throw invalid(
      `retryBackOffMs ${retryBackOffMs} is above retryBackOffMaxMs ${retryBackOffMaxMs}: lower it or raise the other`,
    )
  }
}

function checkAction(settings: TriggerSettings, adapters: TriggerAdapters): void {
  const { action } = settings
  switch (action.kind) {
    case 'start':
      if (action.processId === '' || /\s/.test(action.processId)) {
        throw invalid(
          `processId is ${JSON.stringify(action.processId)}: give the id that the process has in its diagram`,
        )
      }
      if (action.version !== null) checkWhole('version', action.version, 1, 2 ** 31 - 1)
      return
    case 'message':
      if (action.name.trim() === '')
        throw invalid('the name of the message is empty: give the one it has in the diagram')
      if (action.correlationKey.trim() === '') {
        throw invalid('correlationKey is empty: a message needs one, an expression such as =value.orderId')
      }
      checkExpression('correlationKey', action.correlationKey)
      checkExpression('messageId', action.messageId)
      checkWhole('ttlMs', action.ttlMs, 0, 366 * DAY_MS)
      return
    case 'forward':
      checkForward(settings, action, adapters)
  }
}

function checkForward(
  settings: TriggerSettings,
  { adapterId, topic }: Extract<TriggerAction, { kind: 'forward' }>,
  adapters: TriggerAdapters,
): void {
  const target = known('the adapter to forward to,', adapterId, adapters)
  if (topic !== null) checkTopic('the topic to forward to', topic)
  if (adapterId === settings.adapterId && (topic === null || listensTo(settings, topic))) {
    throw invalid(
      `messages of adapter "${target.name}" would be forwarded to where they come from${topic === null ? '' : `, topic ${topic}`}: ` +
        'forward to another topic or through another adapter',
    )
  }
  if (settings.variables !== null) {
    throw invalid('variables is set, but what is forwarded stays as it is: leave it out')
  }
}

function checkDeadLetters(settings: TriggerSettings, adapters: TriggerAdapters): void {
  const { deadLetterAdapterId, deadLetterTopic, adapterId } = settings
  if (deadLetterTopic === null) {
    if (deadLetterAdapterId === null) return
    throw invalid('deadLetterAdapter is set, but deadLetterTopic is not: name the topic, or leave both out')
  }
  checkTopic('deadLetterTopic', deadLetterTopic)
  const target = deadLetterAdapterId ?? adapterId
  const { name } = known('deadLetterAdapter', target, adapters)
  if (target === adapterId && listensTo(settings, deadLetterTopic)) {
    throw invalid(
      `deadLetterTopic ${deadLetterTopic} of adapter "${name}" is one that the trigger listens to: its dead letters would come back; use another topic`,
    )
  }
}

function completionTimeoutOf({ acknowledge, action, completionTimeoutMs }: TriggerSettings): number | null {
  if (acknowledge !== 'completed') {
    if (completionTimeoutMs === null) return null
    throw invalid(
      `completionTimeoutMs is ${completionTimeoutMs}, but with acknowledge ${acknowledge} nothing waits for a process to end: leave it out, or acknowledge completed`,
    )
  }
  if (action.kind !== 'start') {
    throw invalid(
      `acknowledge completed waits for the end of a process, and a trigger that does ${action.kind} starts none: use accepted`,
    )
  }
  const timeout = completionTimeoutMs ?? DEFAULT_COMPLETION_TIMEOUT_MS
  checkWhole('completionTimeoutMs', timeout, 1000, DAY_MS)
  return timeout
}

/** What only the broker's own driver knows, such as which characters its groups may have. */
function checkSource(settings: TriggerSettings, adapter: TriggerAdapter): void {
  if (settings.group.trim() === '') throw invalid('group is empty: give the consumer group, or leave it out')
  try {
    limitsOf(settings, adapter)
  } catch (cause) {
    throw cause instanceof RelayError && !cause.retryable ? invalid(cause.message, cause) : cause
  }
}

function checkExpression(field: string, source: string | null): void {
  if (source === null) return
  try {
    feelExpression(field, source)
  } catch (cause) {
    throw cause instanceof RelayError ? invalid(cause.message, cause) : cause
  }
}

function checkWhole(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw invalid(`${field} is ${value}: use a whole number, ${least} to ${most}`)
}

function invalid(message: string, cause?: unknown): RelayError {
  return new RelayError('SETTINGS_INVALID', message, cause === undefined ? {} : { cause })
}
