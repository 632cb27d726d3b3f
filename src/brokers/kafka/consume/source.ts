import { RelayError } from '../../../core/errors.js'
import type { InitialPosition, MessageOrder, Source } from '../../subscription.js'
import { inputFault } from '../refusals.js'
import type { KafkaSettings } from '../settings.js'

/** A source that can be consumed under these settings, nothing left open. */
export interface CheckedSource {
  group: string
  topics: string[]
  order: MessageOrder
  from: InitialPosition
  concurrency: number
  batchSize: number
  redeliveryDelayMs: (attempt: number) => number
}

const FIRST_REDELIVERY_MS = 100
const LAST_REDELIVERY_MS = 30_000

/** @throws RelayError INPUT_INVALID, TOPIC_INVALID or NOT_SUPPORTED naming the field, its value and the cure */
export function checkSource(source: Source, { consumer }: KafkaSettings): CheckedSource {
  const { group, topics, order = 'none', from = { at: consumer.initialPosition } } = source
  const { concurrency = consumer.concurrency, batchSize = consumer.batchSize } = source
  const { redeliveryDelayMs = growingDelayMs } = source
  if (group.trim() === '') throw invalid('group is empty: name a consumer group')
  if (topics.length === 0) throw invalid('topics is empty: name at least one')
  const names = topics.map(({ topic }) => topic)
  for (const { topic, filter } of topics) {
    const fault = inputFault({ topic })
    if (fault) throw fault
    if (names.indexOf(topic) !== names.lastIndexOf(topic)) {
      throw invalid(`topics names "${topic}" twice: once is enough`)
    }
    if (filter) {
      throw notSupported(
        `the filter of topic "${topic}" cannot be kept: Kafka has none; leave it out, and pass over messages in the handler`,
      )
    }
  }
  if (source.mode === 'broadcasting') {
    throw notSupported('mode is "broadcasting", and Kafka has none: give each member a group of its own')
  }
  if (source.maxRedeliveries !== undefined && source.maxRedeliveries !== Number.POSITIVE_INFINITY) {
    throw notSupported(
      `maxRedeliveries is ${source.maxRedeliveries}, but Kafka has no place for a message that is given up, which would be lost: leave it out, and let the handler resolve once it has put the message elsewhere`,
    )
  }
  checkNumber('concurrency', concurrency)
  checkNumber('batchSize', batchSize)
  return { group, topics: names, order, from, concurrency, batchSize, redeliveryDelayMs }
}

function growingDelayMs(attempt: number): number {
  return Math.min(FIRST_REDELIVERY_MS * 2 ** (attempt - 1), LAST_REDELIVERY_MS)
}

function checkNumber(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return
  throw invalid(`${name} is ${value}: use a whole number, 1 at least`)
}

function invalid(text: string): RelayError {
  return new RelayError('INPUT_INVALID', text)
}

function notSupported(text: string): RelayError {
  return new RelayError('NOT_SUPPORTED', text)
}
