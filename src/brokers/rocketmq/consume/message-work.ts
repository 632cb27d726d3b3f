import type { Log } from '../../../core/log.js'
import type { MessageHandler } from '../../subscription.js'
import { inboundMessage, messageGroup, retryTopic } from './inbound.js'
import type { PulledQueueOptions } from './pulled-queue.js'
import type { QueueRequests, ReadQueue } from './queue-requests.js'
import { sendBack } from './send-back.js'
import type { CheckedSource } from './source.js'
import type { StoredMessage } from './stored-message.js'

export interface MessageWorkOptions {
  source: CheckedSource
  handle: MessageHandler
  requests: QueueRequests
  /** As the server spells it. */
  group: string
  namespace: string | undefined
  addressOf(queue: ReadQueue): string
  log: Log
}

/** How the messages of a queue are worked off: in which order, and what becomes of those that fail. */
export function messageWork(queue: ReadQueue, options: MessageWorkOptions): PulledQueueOptions['work'] {
  const { source, handle, requests, group, namespace, addressOf, log } = options
  const { batchSize, maxRedeliveries, redeliveryDelayMs, mode, order } = source
  return {
    batchSize,
    laneOf: laneOf(queue, source, group),
    async handle(batch, isGivenUp) {
      await handle(
        await Promise.all(batch.map((message) => inboundMessage(message, queue.broker, namespace))),
        isGivenUp,
      )
    },
    afterFailure(message, error) {
      log.debug('a message was not consumed', { ...queue, reason: String(error) })
      const mayLosePlace = mode === 'clustering' && order === 'none'
      const manner = { maxRedeliveries, mayLosePlace, redeliveryDelayMs }
      return sendBack(queue, message, { requests, group, ...manner, addressOf, log })
    },
  }
}

function laneOf(
  { topic }: ReadQueue,
  { order }: CheckedSource,
  group: string,
): (message: StoredMessage) => string | undefined {
  // What was sent back has lost its place anyway.
  if (topic === retryTopic(group)) return () => undefined
  switch (order) {
    case 'none':
      return () => undefined
    case 'key':
      return messageGroup
    case 'queue':
      return () => ''
    default:
      return order satisfies never
  }
}
