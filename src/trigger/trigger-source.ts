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

/**
 * What to say of topics with fewer partitions than messages may be handled at a time; undefined: nothing.
 * @param all topics there are
 */
export function concurrencyWarning(
  { concurrency, order }: Pick<Trigger, 'concurrency' | 'order'>,
  topics: readonly string[],
  all: readonly TopicSummary[],
): string | undefined {
  if (concurrency === null) return undefined
  const few = all.flatMap((summary) => {
    const count = 'partitions' in summary ? summary.partitions : summary.queues
    return topics.includes(summary.topic) && count < concurrency ? [`${summary.topic} has ${count}`] : []
  })
  if (few.length === 0) return undefined
  const what = `concurrency is ${concurrency}, and of partitions topic ${few.join(', topic ')}`
  switch (order) {
    case 'queue':
      return `${what}: with order "queue" each of them is handled by one at a time, so that the others have nothing to do`
    case 'key':
      return `${what}: messages of one partition are handled side by side where their keys differ`
    case 'none':
      return `${what}: messages of one partition are handled side by side`
  }
}
