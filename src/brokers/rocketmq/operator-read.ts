import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { pause } from '../../core/time-limit.js'
import type { ConsumedMessage, ConsumeRequest, QueuedTopic } from '../operator.js'
import { ConsumerClient } from './consume/consumer-client.js'
import { hasWantedTag, subscriptionData } from './consume/filter.js'
import { messageId } from './consume/inbound.js'
import { QueueRequests, type ReadQueue } from './consume/queue-requests.js'
import { bodyOf, type StoredMessage } from './consume/stored-message.js'
import { isReservedProperty } from './message.js'
import { serverName } from './operator-names.js'
import type { RocketmqSettings } from './settings.js'

/** Every broker has it from the start: none needs to be made, and reading commits nothing. */
const TOOLS_GROUP = 'TOOLS_CONSUMER'
const RETRY_MS = 1000

export interface TopicReading {
  topic: QueuedTopic
  /** Of the masters, by broker. */
  addressOf: ReadonlyMap<string, string>
  settings: RocketmqSettings
  log: Log
}

/** A part of a queue: from `start` on, up to the one before `end`. */
export interface Range {
  queue: ReadQueue
  address: string
  start: bigint
  end: bigint
}

export async function consume(
  reading: TopicReading,
  request: ConsumeRequest,
  onMessage: (message: ConsumedMessage) => void,
): Promise<void> {
  const { follow, signal, tags, from, topic, max = Number.POSITIVE_INFINITY } = request
  const filter = tags && { tags: [...tags] }
  const enough = new AbortController()
  const stopping = AbortSignal.any([signal, enough.signal])
  let count = 0
  /** Queues are read side by side, their messages handed over one by one. */
  let turn: Promise<unknown> = Promise.resolve()
  const aborted = new Promise<undefined>((resolve) => {
    stopping.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  await withRequests(reading, async (requests) => {
    const ranges = await rangesOf(reading, request, requests)
    const readings = ranges.map(async (range) => {
      const read = readRange(requests, range, {
        ...{ filter, follow, aborted, log: reading.log },
        signal: stopping,
      })
      for await (const message of read) {
        const isWanted = from.at !== 'time' || message.storedAt >= from.time
        if (!isWanted) continue
        const consumed = await consumedMessage(topic, range.queue.broker, message)
        if (stopping.aborted || count === max) return
        count++
        turn = turn.then(() => onMessage(consumed))
        await turn
        if (count === max) enough.abort()
      }
    })
    await Promise.all(readings).finally(() => enough.abort())
  })
}

/** The messages of the topic stored within these times, of each queue the newest `max`. */
export async function readTimes(
  reading: TopicReading,
  { since, until, max }: { since: number | undefined; until: number | undefined; max: number },
): Promise<[broker: string, message: StoredMessage][]> {
  const found: [string, StoredMessage][] = []
  await withRequests(reading, async (requests) => {
    for (const whole of wholeRanges(reading)) {
      const { queue, address } = whole
      // Brokers before 5.0 may name the message before the time as well: what is read is looked at once more.
      const start = since === undefined ? whole.start : await requests.offsetAt(address, queue, since)
      const last = until === undefined ? whole.end : (await requests.offsetAt(address, queue, until)) + 1n
      const end = last < whole.end ? last : whole.end
      // One more, as the last may be too young.
      const newest = end - BigInt(max) - 1n
      const range = { ...whole, start: [whole.start, start, newest].reduce((a, b) => (a > b ? a : b)), end }
      for await (const message of readRange(requests, range, { log: reading.log })) {
        const isWithin = message.storedAt >= (since ?? 0) && message.storedAt < (until ?? Infinity)
        if (isWithin) found.push([queue.broker, message])
      }
    }
  })
  return found
}

async function withRequests(
  { settings, log }: TopicReading,
  use: (requests: QueueRequests) => Promise<void>,
): Promise<void> {
  const client = new ConsumerClient(settings, TOOLS_GROUP, log)
  try {
    await use(new QueueRequests(client))
  } finally {
    await client.close()
  }
}

function wholeRanges({ topic, addressOf, settings }: TopicReading): Range[] {
  return topic.queues.flatMap(({ broker, queue, readable, firstOffset, endOffset }) => {
    const address = addressOf.get(broker)
    if (address === undefined || !readable) return []
    const readQueue = { topic: serverName(topic.topic, settings), broker, id: queue }
    return [{ queue: readQueue, address, start: BigInt(firstOffset), end: BigInt(endOffset) }]
  })
}

/** @throws RelayError PARTITION_UNKNOWN, INPUT_INVALID */
async function rangesOf(
  reading: TopicReading,
  { topic, from, partition, broker }: ConsumeRequest,
  requests: QueueRequests,
): Promise<Range[]> {
  const whole = wholeRanges(reading)
  const chosen = whole.filter(
    ({ queue }) =>
      (partition === undefined || queue.id === partition) &&
      (broker === undefined || queue.broker === broker),
  )
  if (chosen.length === 0) {
    const have = whole.map(({ queue }) => `${queue.id} of ${queue.broker}`).join(', ')
    throw new RelayError(
      'PARTITION_UNKNOWN',
      `topic ${topic} has no such queue to read: ${have === '' ? 'it is not open for reading' : `it has ${have}`}`,
    )
  }
  return await Promise.all(
    chosen.map(async (range) => {
      switch (from.at) {
        case 'earliest':
          return range
        case 'latest':
          return { ...range, start: range.end }
        case 'offset':
          return { ...range, start: offsetWithin(BigInt(from.offset), range, topic) }
        case 'time':
          return { ...range, start: await requests.offsetAt(range.address, range.queue, from.time) }
      }
    }),
  )
}

function offsetWithin(offset: bigint, { queue, start, end }: Range, topic: string): bigint {
  if (offset >= start && offset <= end) return offset
  const held =
    start === end ? `holds no messages; its next offset is ${end}` : `holds ${start} to ${end - 1n}`
  throw new RelayError(
    'INPUT_INVALID',
    `offset ${offset} is not in queue ${queue.id} of ${queue.broker} of topic ${topic}, which ${held}`,
  )
}

interface ReadOptions {
  filter?: { tags: string[] } | undefined
  /** On behind the end, until the signal is aborted; outages are waited out. */
  follow?: boolean
  signal?: AbortSignal
  /** Resolves once the signal is: a request may be waiting for messages. */
  aborted?: Promise<undefined>
  log: Log
}

async function* readRange(
  requests: QueueRequests,
  { queue, address, start, end }: Range,
  { filter, follow = false, signal, aborted, log }: ReadOptions,
): AsyncGenerator<StoredMessage> {
  const subscription = subscriptionData(queue.topic, filter, 0)
  for (let offset = start; (follow || offset < end) && !signal?.aborted; ) {
    const pulling = requests.pull(address, queue, offset, subscription)
    const pulled = await Promise.race(aborted ? [pulling, aborted] : [pulling]).catch(
      async (error: unknown) => {
        if (!follow || !(error instanceof RelayError && error.retryable)) throw error
        log.warn('reading waits for RocketMQ', {
          queue: queue.id,
          broker: queue.broker,
          reason: error.message,
        })
        await pause(RETRY_MS, signal)
        return undefined
      },
    )
    if (pulled === undefined) continue
    if (pulled.status === 'found') {
      for (const message of pulled.messages) {
        if (!follow && message.offset >= end) return
        if (hasWantedTag(filter, message.properties.get('TAGS'))) yield message
      }
    } else if (!follow && pulled.next <= offset) return
    offset = pulled.next
  }
}

async function consumedMessage(
  topic: string,
  broker: string,
  message: StoredMessage,
): Promise<ConsumedMessage> {
  const { properties, queueId, offset, storedAt } = message
  const keys = properties.get('KEYS')
  const tag = properties.get('TAGS')
  return {
    topic,
    partition: queueId,
    offset: String(offset),
    timestamp: storedAt,
    key: keys === undefined ? null : Buffer.from(keys),
    value: await bodyOf(message),
    headers: Object.fromEntries([...properties].filter(([name]) => !isReservedProperty(name))),
    broker,
    messageId: messageId(message),
    ...(tag !== undefined && { tag }),
  }
}
