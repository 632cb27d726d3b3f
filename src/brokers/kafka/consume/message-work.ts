import type { Log } from '../../../core/log.js'
import type { InboundMessage, MessageHandler } from '../../subscription.js'
import { keyOf, type Place } from './assignment.js'
import type { HeldPartitionOptions } from './held-partition.js'
import type { FetchedMessage } from './records.js'
import type { CheckedSource } from './source.js'

/** How the messages of a partition are worked off: in which order, and when those that fail come again. */
export function messageWork(
  place: Place,
  { batchSize, order, redeliveryDelayMs }: CheckedSource,
  handle: MessageHandler,
  log: Log,
): HeldPartitionOptions['work'] {
  return {
    batchSize,
    laneOf: laneOf(order),
    handle: (batch, isGivenUp) =>
      handle(
        batch.map((message) => inboundMessage(place, message)),
        isGivenUp,
      ),
    async afterFailure({ offset, attempt }, error) {
      const delayMs = redeliveryDelayMs(attempt)
      log.debug('a message was not consumed', {
        partition: keyOf(place),
        offset: String(offset),
        attempt,
        delayMs,
        reason: String(error),
      })
      return delayMs
    },
  }
}

function laneOf(order: CheckedSource['order']): (message: FetchedMessage) => string | undefined {
  switch (order) {
    case 'none':
      return () => undefined
    case 'key':
      // As bytes: two keys that are no text must not look alike.
      return ({ key }) => key?.toString('latin1')
    case 'queue':
      return () => ''
    default:
      return order satisfies never
  }
}

function inboundMessage({ topic, partition }: Place, message: FetchedMessage): InboundMessage {
  const { timestamp, attempt, key, value, headers } = message
  const offset = String(message.offset)
  return {
    topic,
    id: `${topic}-${partition}-${offset}`,
    queue: { topic, partition },
    offset,
    timestamp,
    attempt,
    key,
    value,
    headers,
  }
}
