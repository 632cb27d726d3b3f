import type { Trigger } from './trigger.js'
import type { TriggerAdapter } from './trigger-adapters.js'

/** What is allowed of a trigger and yet may not be meant, a sentence each. */
export function warningsOf(
  trigger: Trigger,
  all: readonly Trigger[],
  adapter: TriggerAdapter | undefined,
): string[] {
  const { acknowledge, action, group, order } = trigger
  const warnings: string[] = []
  if (adapter && looksInto(trigger) && ['string', 'bytes'].includes(adapter.valueSerialization)) {
    warnings.push(
      `an expression looks into value, which adapter "${adapter.name}" reads as ${adapter.valueSerialization}: make its value serialization json, or nothing is found there`,
    )
  }
  if (adapter && !adapter.orders.includes(order)) {
    warnings.push(
      `order is ${order}, which adapter "${adapter.name}" keeps only for groups that the servers are set up to order: else use none`,
    )
  }
  if (acknowledge === 'received') {
    warnings.push('acknowledge is received: messages in the hands of a worker that dies are lost')
  }
  if (action.kind === 'message' && action.ttlMs === 0) {
    warnings.push('ttl is 0: a message that no process waits for at that moment is gone')
  }
  for (const other of all) {
    if (other.id === trigger.id || other.adapterId !== trigger.adapterId || other.group !== group) continue
    warnings.push(
      subscribesAlike(trigger, other)
        ? `group "${group}" is that of trigger "${other.name}" too, with the same topics: each message goes to one of the two only`
        : `group "${group}" is that of trigger "${other.name}" too, with other topics: the members of a group should listen to the same; give each a group of its own`,
    )
  }
  return warnings
}

/**
 * As `warningsOf`, by what the broker has.
 * @param topics those there are of the ones it listens to, with the partitions of each
 */
export function topicWarnings(trigger: Trigger, topics: ReadonlyMap<string, number>): string[] {
  const { topicPattern, concurrency } = trigger
  const missing = trigger.topics.filter((topic) => !topics.has(topic))
  const warnings = missing.map((topic) => `topic ${topic} is not there: the trigger waits for it`)
  if (topicPattern !== null && topics.size === 0) {
    warnings.push(`no topic matches ${topicPattern}: the trigger waits for one`)
  }
  const partitions = [...topics.values()].reduce((sum, count) => sum + count, 0)
  if (concurrency !== null && partitions > 0 && concurrency > partitions) {
    const those = partitions === 1 ? '1 partition' : `${partitions} partitions`
    warnings.push(
      `concurrency ${concurrency} is above the ${those} there are: ${beyondPartitions(trigger, those)}`,
    )
  }
  return warnings
}

function beyondPartitions({ order }: Trigger, those: string): string {
  switch (order) {
    case 'queue':
      return `in the order of ${those}, no more messages than that are handled at a time`
    case 'key':
      return 'messages of one partition are then handled side by side where their keys differ'
    case 'none':
      return 'messages of one partition are then handled side by side, in no order'
  }
}

/** Whether expressions take the value for an object or a list. */
function looksInto({ activationCondition, variables, action }: Trigger): boolean {
  const ofMessage = action.kind === 'message' ? [action.correlationKey, action.messageId] : []
  return [activationCondition, variables, ...ofMessage].some((text) => text && /\bvalue\s*[.[]/.test(text))
}

function subscribesAlike(one: Trigger, other: Trigger): boolean {
  const text = ({ topics, topicPattern, filter }: Trigger) =>
    JSON.stringify([[...topics].sort(), topicPattern, filter])
  return text(one) === text(other)
}
