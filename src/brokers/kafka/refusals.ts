import { RelayError } from '../../core/errors.js'
import type { OutboundMessage } from '../broker.js'
import type { Pending } from './pending.js'
import type { KafkaSettings } from './settings.js'
import type { Topics } from './topics.js'

/** What is wrong with a message whatever the cluster says of it. */
export function inputFault({
  topic,
  partition,
  timestamp,
}: Pick<OutboundMessage, 'topic' | 'partition' | 'timestamp'>): RelayError | undefined {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic) || topic === '.' || topic === '..') {
    return new RelayError(
      'TOPIC_INVALID',
      `topic "${topic}" is not a name Kafka accepts: use 1 to 249 letters, digits, ".", "_" or "-"`,
    )
  }
  if (partition !== undefined && !isNatural(partition)) {
    return new RelayError(
      'PARTITION_UNKNOWN',
      `partition ${partition} is not a partition number: use an integer from 0 up`,
    )
  }
  if (timestamp !== undefined && !isNatural(timestamp)) {
    return new RelayError(
      'INPUT_INVALID',
      `timestamp ${timestamp} is not a number of milliseconds since 1970`,
    )
  }
  return undefined
}

function isNatural(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

export function unknownPartition(topic: string, partition: number, partitions: number): RelayError {
  return new RelayError(
    'PARTITION_UNKNOWN',
    `topic ${topic} has no partition ${partition}: use 0 to ${partitions - 1}, or none to have one chosen`,
  )
}

export function lostPartition(name: string, partitions: number): RelayError {
  return new RelayError('BROKER_UNAVAILABLE', `${name} is gone: the topic was made anew with ${partitions}`)
}

/** Rejects a message that the adapter or its topic does not allow, naming both limits if they can be read. */
export async function rejectTooLarge(
  pending: Pending,
  { settings, topics }: { settings: KafkaSettings; topics: Topics },
  cause?: RelayError,
): Promise<void> {
  const { topic } = pending.message
  const limit = await topics.messageLimit(topic)
  pending.fail(
    new RelayError(
      'MESSAGE_TOO_LARGE',
      `message of about ${pending.bytes} bytes is larger than adapter and topic ${topic} allow (maxMessageBytes is ${
        settings.maxMessageBytes
      }, max.message.bytes ${limit ? `is ${limit}` : 'could not be read'}): make it smaller or raise the limit`,
      { cause },
    ),
  )
}
