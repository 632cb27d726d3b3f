import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Message, RecordMetadata } from 'kafkajs'
import { RelayError, toRelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { pause } from '../../core/time-limit.js'
import { compressionType } from './compression.js'
import { judge, type Verdict } from './errors.js'
import { Gathering } from './gathering.js'
import type { Pending } from './pending.js'
import type { Producers } from './producers.js'
import type { KafkaSettings } from './settings.js'
import type { Topics } from './topics.js'

/** What the broker answers as append time where the topic keeps the time of the message. */
const NO_TIME = '-1'

const ACKS = { all: -1, leader: 1, none: 0 } as const

export interface LaneContext {
  settings: KafkaSettings
  log: Log
  producers: Producers
  topics: Topics
  /** True once nothing new comes, so that nothing is worth waiting for. */
  isClosing: () => boolean
}

/**
 * The queue of one partition. What is ready goes out as one send, and the next starts when it has ended, so that a
 * failure concerns one known batch and nothing overtakes a message that is sent again.
 */
export class Lane {
  readonly topic: string
  readonly partition: number
  readonly #context: LaneContext
  readonly #onTaken: () => void
  readonly #waiting: Gathering
  /** Batches sent before and to be sent again, before anything that waits. */
  #again: Pending[][] = []
  #isRunning = false
  #failures = 0

  /** @param onTaken called when waiting messages were taken for a send */
  constructor(topic: string, partition: number, context: LaneContext, onTaken: () => void) {
    this.topic = topic
    this.partition = partition
    this.#context = context
    this.#onTaken = onTaken
    this.#waiting = new Gathering(context.settings.flush)
  }

  push(pending: Pending): void {
    this.#waiting.push(pending)
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  /** Sends what waits without waiting for more. */
  flush(): void {
    this.#waiting.flush()
  }

  async #run(): Promise<void> {
    const { producers } = this.#context
    for (;;) {
      // One turn of the event loop lets everything that is ready at this moment join the batch.
      await nextTurn()
      this.#again = this.#again.map(unsettled).filter((batch) => batch.length > 0)
      if (this.#waiting.isEmpty && this.#again.length === 0) break
      if (this.#again.length === 0 && !this.#context.isClosing()) await this.#waiting.due()
      if (producers.isReady) {
        const batch = this.#again.shift() ?? this.#take()
        if (batch.length > 0) await this.#send(batch)
      } else {
        await producers.ready().catch((error: unknown) => this.#notConnected(toRelayError(error)))
      }
    }
    this.#isRunning = false
  }

  #take(): Pending[] {
    const batch = unsettled(this.#waiting.take())
    this.#onTaken()
    return batch
  }

  async #send(batch: Pending[]): Promise<void> {
    const { producers, settings } = this.#context
    const { acks } = producers.acknowledgement
    const sentAt = String(Date.now())
    const latest = batch.at(-1)?.deadline ?? 0
    try {
      const answer = await producers.send(
        {
          topic: this.topic,
          acks: ACKS[acks],
          timeout: settings.requestTimeoutMs,
          compression: compressionType(settings.compression),
          messages: batch.map((pending) => this.#record(pending, sentAt)),
        },
        Math.max(latest - performance.now(), 0),
      )
      const placed = answer.find(
        ({ topicName, partition }) => topicName === this.topic && partition === this.partition,
      )
      if (placed || acks === 'none') return this.#published(batch, placed, sentAt)
    } catch (thrown) {
      return this.#failed(batch, judge(thrown, `publishing to ${this.#name}`, settings))
    }
    // kafkajs leaves out, without an error, a partition its metadata does not know.
    producers.discard()
    const error = new RelayError('BROKER_UNAVAILABLE', `Kafka's answer leaves out ${this.#name}`)
    return this.#failed(batch, { remedy: 'lookup', error })
  }

  #record({ message }: Pending, sentAt: string): Message {
    const { key, value, headers, timestamp } = message
    return {
      value,
      headers,
      partition: this.partition,
      timestamp: timestamp === undefined ? sentAt : String(timestamp),
      ...(key == null ? {} : { key }),
    }
  }

  #published(batch: Pending[], placed: RecordMetadata | undefined, sentAt: string): void {
    this.#failures = 0
    const baseOffset = placed?.baseOffset === undefined ? undefined : BigInt(placed.baseOffset)
    const appendTime = placed?.logAppendTime ?? NO_TIME
    batch.forEach((pending, index) => {
      pending.succeed({
        kind: 'kafka',
        topic: this.topic,
        partition: this.partition,
        offset: baseOffset === undefined ? null : String(baseOffset + BigInt(index)),
        timestamp: appendTime === NO_TIME ? String(pending.message.timestamp ?? sentAt) : appendTime,
      })
    })
  }

  #failed(batch: Pending[], { remedy, error }: Verdict): Promise<void> | void {
    switch (remedy) {
      case 'split':
        return this.#split(batch, error)
      case 'reject':
        return rejectAll(batch, error)
      case 'retry':
        return this.#retry(batch, error)
      case 'lookup':
        return this.#lookAgain(batch, error)
      default:
        return remedy satisfies never
    }
  }

  async #lookAgain(batch: Pending[], error: RelayError): Promise<void> {
    try {
      const partitions = await this.#context.topics.lookup(this.topic)
      if (this.partition >= partitions) rejectAll(batch, lostPartition(this.#name, partitions))
      else await this.#retry(batch, asTransient(error))
    } catch (thrown) {
      const reason = toRelayError(thrown)
      if (reason.retryable) await this.#retry(batch, reason)
      else rejectAll(batch, reason)
    }
  }

  /** Kafka takes a batch whole or not at all: halving it finds the message to blame. */
  #split(batch: Pending[], error: RelayError): Promise<void> | void {
    const [only] = batch
    if (only && batch.length === 1) {
      if (error.retryable) return this.#retry(batch, error)
      if (error.code === 'MESSAGE_TOO_LARGE') void rejectTooLarge(only, this.#context, error)
      else only.fail(error)
      return
    }
    if (error.code === 'MESSAGE_TOO_LARGE') {
      const bytes = batch.reduce((sum, pending) => sum + pending.bytes, 0)
      this.#waiting.keepBelow(bytes / 2)
    }
    const half = Math.ceil(batch.length / 2)
    this.#again.unshift(batch.slice(0, half), batch.slice(half))
  }

  async #retry(batch: Pending[], error: RelayError): Promise<void> {
    const { settings, log } = this.#context
    const { retries = Number.POSITIVE_INFINITY, retryBackoffMs, retryBackoffMaxMs } = settings
    const [again, ended] = [
      batch.filter(({ resends }) => resends < retries),
      batch.filter(({ resends }) => resends >= retries),
    ]
    rejectAll(ended, error)
    for (const pending of again) pending.resends++
    this.#keep(again, error)
    log.warn('a batch was not acknowledged', { reason: error.message, messages: batch.length })
    await pause(Math.min(retryBackoffMs * 2 ** this.#failures, retryBackoffMaxMs))
    this.#failures++
  }

  /** Puts back, in front, what may be sent once more. */
  #keep(batch: Pending[], error: RelayError): void {
    const now = performance.now()
    const kept = batch.filter((pending) => {
      if (pending.retryUntil > now) return true
      pending.fail(error)
      return false
    })
    if (kept.length > 0) this.#again.unshift(kept)
  }

  /**
   * What was never sent fails at once. What was sent without an answer is kept: it may have arrived, and failing it
   * would only have it sent again later, out of order.
   */
  #notConnected(error: RelayError): void {
    rejectAll(this.#waiting.takeAll(), error)
    for (const batch of this.#again.splice(0).reverse()) this.#keep(batch, error)
  }

  get #name(): string {
    return `partition ${this.partition} of topic ${this.topic}`
  }
}

/** Rejects a message that the adapter or its topic does not allow, naming both limits if they can be read. */
export async function rejectTooLarge(
  pending: Pending,
  { settings, topics }: Pick<LaneContext, 'settings' | 'topics'>,
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

function unsettled(batch: Pending[]): Pending[] {
  return batch.filter((pending) => !pending.isSettled)
}

function rejectAll(batch: Pending[], error: RelayError): void {
  for (const pending of batch) pending.fail(error)
}

/** The topic was looked up and is there: what the broker said of it has passed. */
function asTransient(error: RelayError): RelayError {
  return error.retryable ? error : new RelayError('BROKER_UNAVAILABLE', error.message, { cause: error.cause })
}

function lostPartition(name: string, partitions: number): RelayError {
  return new RelayError('BROKER_UNAVAILABLE', `${name} is gone: the topic was made anew with ${partitions}`)
}
