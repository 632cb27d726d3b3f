import type { PulledQueue } from './pulled-queue.js'

/**
 * What RocketMQ's admin tool and console ask a member for: which queues it has, and how far it is. In the servers' own
 * kind of JSON, in which whole objects are names.
 */
export function runningInfo(
  queues: readonly PulledQueue[],
  { startedAt, isOrdered }: { startedAt: number; isOrdered: boolean },
): string {
  const properties = {
    PROP_CONSUME_TYPE: 'CONSUME_PASSIVELY',
    PROP_CONSUMEORDERLY: String(isOrdered),
    PROP_CONSUMER_START_TIMESTAMP: String(startedAt),
  }
  const places = queues.map(({ queue, position, end }) => {
    const name = { brokerName: queue.broker, queueId: queue.id, topic: queue.topic }
    const place = { commitOffset: Number(position), cachedMsgMaxOffset: Number(end) }
    return `${JSON.stringify(name)}:${JSON.stringify(place)}`
  })
  return `{"mqTable":{${places.join()}},"properties":${JSON.stringify(properties)},"statusTable":{},"subscriptionSet":[]}`
}
