import { RelayError } from '../../../core/errors.js'
import type { ConsumeMode, InitialPosition, MessageOrder, Source } from '../../subscription.js'
import type { RocketmqSettings } from '../settings.js'
import { checkFilter } from './filter.js'

/** A source that can be consumed under these settings, nothing left open. */
export type CheckedSource = Pick<Source, 'group' | 'topics' | 'redeliveryDelayMs'> & {
  from: InitialPosition
  mode: ConsumeMode
  order: MessageOrder
  concurrency: number
  batchSize: number
  maxRedeliveries: number
}

const NAME = /^[%|a-zA-Z0-9_-]+$/
const LONGEST_TOPIC = 127
/** What the protocol has room for; as many as without a limit. */
const MOST_REDELIVERIES = 2 ** 31 - 1
/** The topics of its own that brokers make for a group have its name behind a prefix. */
const LONGEST_GROUP = 120

/** @throws RelayError INPUT_INVALID, TOPIC_INVALID or NOT_SUPPORTED naming the field, its value and the cure */
export function checkSource(source: Source, settings: RocketmqSettings): CheckedSource {
  const { group, topics, from = { at: 'latest' }, mode = 'clustering', order = 'none' } = source
  const { redeliveryDelayMs } = source
  const { concurrency = settings.consumeThreadMax, batchSize = settings.consumeMessageBatchMaxSize } = source
  const maxRedeliveries = Math.min(source.maxRedeliveries ?? settings.maxReconsumeTimes, MOST_REDELIVERIES)
  if (!NAME.test(group) || group.length > LONGEST_GROUP) {
    throw invalid(
      `group "${group}" is not a RocketMQ consumer group: use 1 to ${LONGEST_GROUP} of the characters a–z, A–Z, 0–9, _, -, % and |`,
    )
  }
  if (topics.length === 0) throw invalid('topics is empty: name at least one')
  for (const { topic, filter } of topics) {
    if (!NAME.test(topic) || topic.length > LONGEST_TOPIC) {
      throw new RelayError(
        'TOPIC_INVALID',
        `topic "${topic}" is not a RocketMQ topic name: use 1 to ${LONGEST_TOPIC} of the characters a–z, A–Z, 0–9, _, -, % and |`,
      )
    }
    if (topics.filter((other) => other.topic === topic).length > 1) {
      throw invalid(`topics names "${topic}" twice: once is enough, with one filter for all of it`)
    }
    checkFilter(topic, filter)
  }
  checkNumber('concurrency', concurrency, 1)
  checkNumber('batchSize', batchSize, 1)
  checkNumber('maxRedeliveries', maxRedeliveries, 0)
  if (settings.protocol === 'grpc') refuseOverGrpc({ mode, from })
  return { group, topics, from, mode, order, concurrency, batchSize, maxRedeliveries, redeliveryDelayMs }
}

function refuseOverGrpc({ mode, from }: Pick<CheckedSource, 'mode' | 'from'>): void {
  if (mode === 'broadcasting') {
    throw notSupported('mode is "broadcasting", and protocol "grpc" has none: use protocol "remoting"')
  }
  if (from.at !== 'latest') {
    throw notSupported(
      `a new group is to begin at "${from.at}", and over protocol "grpc" the servers decide where it does: use "latest", or protocol "remoting"`,
    )
  }
}

function checkNumber(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw invalid(`${name} is ${value}: use a whole number, ${least} at least`)
}

function invalid(text: string): RelayError {
  return new RelayError('INPUT_INVALID', text)
}

function notSupported(text: string): RelayError {
  return new RelayError('NOT_SUPPORTED', text)
}
