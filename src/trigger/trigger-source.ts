import type { AdapterConsumer } from '../adapters/directory.js'
import type { TopicSummary } from '../brokers/operator.js'
import type { Source } from '../brokers/subscription.js'
import { RelayError } from '../core/errors.js'
import { topicPattern } from './topic-pattern.js'
import type { Trigger } from './trigger.js'

/** Of brokers themselves: of Kafka, and what RocketMQ keeps for groups. */
const INTERNAL = /^(?:__|%RETRY%|%DLQ%)/

/** Those that the trigger listens to, as of now. @throws RelayError */
export async function topicsOf(trigger: Trigger, consumer: AdapterConsumer): Promise<string[]> {
  if (trigger.topicPattern === null) return trigger.topics
  const pattern = topicPattern(trigger.topicPattern)
  const all = await listTopics(consumer)
  return all.map(({ topic }) => topic).filter((topic) => !INTERNAL.test(topic) && pattern.test(topic))
}

export async function listTopics(consumer: AdapterConsumer): Promise<TopicSummary[]> {
  const operator = consumer.operate()
  try {
    if (operator.listTopics) return await operator.listTopics()
    const instead = operator.insteadOfMissing ?? 'name the topics'
    throw new RelayError('NOT_SUPPORTED', `a topic pattern needs a list of topics: ${instead}`)
  } finally {
    await operator.close()
  }
}

/** What a subscription is made of; nothing else of a trigger needs a new one. */
export function sourceOf(
  { group, filter, order, initialOffset, concurrency }: Trigger,
  topics: readonly string[],
  redeliveryDelayMs: (attempt: number) => number,
): Source {
  return {
    group,
    topics: topics.map((topic) => ({ topic, filter: filter ?? undefined })),
    order,
    from: { at: initialOffset },
    concurrency: concurrency ?? undefined,
    // Giving up is the trigger's own.
    maxRedeliveries: Number.POSITIVE_INFINITY,
    redeliveryDelayMs,
  }
}

/** Tells subscriptions apart. */
export function sourceKey({ hash }: AdapterConsumer, source: Source): string {
  const { group, topics, order, from, concurrency } = source
  return JSON.stringify([hash, group, topics, order, from, concurrency])
}
