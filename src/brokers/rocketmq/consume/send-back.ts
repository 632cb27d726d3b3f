import { toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import type { Source } from '../../subscription.js'
import { deadLetterTopic, messageId } from './inbound.js'
import type { QueueRequests, ReadQueue } from './queue-requests.js'
import type { StoredMessage } from './stored-message.js'

/** Before a message whose order must be kept is handled again, as with RocketMQ's own clients. */
const SUSPEND_MS = 1000
const LONGEST_LOCAL_RETRY_MS = 30_000

export interface SendBackOptions {
  requests: QueueRequests
  group: string
  maxRedeliveries: number
  /** Whether a message may come again later, out of its place; otherwise it is handled again here. */
  mayLosePlace: boolean
  redeliveryDelayMs: Source['redeliveryDelayMs']
  addressOf(queue: ReadQueue): string
  log: Log
}

/**
 * What becomes of a message whose handler rejected. Never lost: it goes back to its broker if it may, to the dead
 * letters once it came often enough, and is kept here where that fails.
 * @returns milliseconds after which it is handled again here; undefined: the broker has charge of it
 */
export async function sendBack(
  queue: ReadQueue,
  message: StoredMessage,
  { requests, group, maxRedeliveries, mayLosePlace, redeliveryDelayMs, addressOf, log }: SendBackOptions,
): Promise<number | undefined> {
  const isLast = message.attempt > maxRedeliveries
  const fields = { topic: message.topic, messageId: messageId(message), attempt: message.attempt }
  if (!mayLosePlace && !isLast) return redeliveryDelayMs?.(message.attempt) ?? SUSPEND_MS
  try {
    await requests.sendBack(addressOf(queue), message, {
      maxReconsumeTimes: maxRedeliveries,
      giveUp: isLast,
    })
  } catch (thrown) {
    const { message: reason } = toRelayError(thrown)
    log.warn('a message that was not consumed could not be sent back: it is kept and handled again', {
      ...fields,
      reason,
    })
    return Math.min(SUSPEND_MS * 2 ** (message.attempt - 1), LONGEST_LOCAL_RETRY_MS)
  }
  if (isLast) {
    log.warn('a message failed for the last time and is now a dead letter', {
      ...fields,
      deadLetterTopic: deadLetterTopic(group),
    })
  }
  return undefined
}
