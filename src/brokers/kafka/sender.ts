import { type RelayError, toRelayError } from '../../core/errors.js'
import type { OutboundMessage } from '../broker.js'
import { type Compress, compressionOf } from './compression.js'
import type { Acknowledgement } from './guarantees.js'
import type { Link, PartitionAnswer, ProduceAnswer } from './link.js'
import type { Pending } from './pending.js'
import { encodeRecordBatch, type Numbering } from './record-batch.js'
import type { KafkaSettings } from './settings.js'

/** Of one broker at a time: one it works on, and one that is ready when it has answered. */
const REQUESTS_IN_FLIGHT = 2
/** A request of so many messages is worth its while; of more, half are kept for the next. */
const SMALL_CROWD = 64
/** Most bytes of messages in one request of several batches; brokers take 100 MiB by default. */
const REQUEST_BYTES = 4 * 1024 * 1024

const ACKS = { all: -1, leader: 1, none: 0 } as const

/** Messages of one partition that are taken together or not at all. */
export interface Batch {
  topic: string
  partition: number
  pendings: Pending[]
  /** Milliseconds since 1970. */
  sentAt: number
  numbering: Numbering
}

/** Where a sender takes batches from when the next request is made: at the last moment, so that many fit in. */
export interface BatchSource {
  /** Messages it could give now. */
  readonly waiting: number
  take(mostMessages: number): Batch | undefined
}

/**
 * What became of a source's turn. `unanswered`: the batch may have been taken; `unsent`: nothing was taken from the
 * source; `nothing`: it had nothing any more.
 */
export type Sent =
  | { kind: 'answered'; batch: Batch; answer: PartitionAnswer | undefined }
  | { kind: 'unanswered'; batch: Batch; error: unknown }
  | { kind: 'unencodable'; batch: Batch; error: RelayError }
  | { kind: 'unsent'; error: RelayError }
  | { kind: 'nothing' }

interface Turn {
  source: BatchSource
  resolve: (sent: Sent) => void
}

interface Part {
  turn: Turn
  batch: Batch
  records: Buffer
}

/**
 * Sends to one broker. All partitions that are ready at the same moment share one request; its answer tells what
 * became of each, so that a batch refused or in doubt concerns no other partition.
 */
export class Sender {
  readonly #settings: KafkaSettings
  readonly #acks: Acknowledgement['acks']
  readonly #link: () => Promise<Link>
  readonly #compress: Compress | undefined
  #turns: Turn[] = []
  #inFlight = 0
  #isScheduled = false

  constructor(settings: KafkaSettings, acks: Acknowledgement['acks'], link: () => Promise<Link>) {
    this.#settings = settings
    this.#acks = acks
    this.#link = link
    this.#compress = compressionOf(settings.compression)
  }

  /** Gives the source a place in the next request. */
  send(source: BatchSource): Promise<Sent> {
    return new Promise((resolve) => {
      this.#turns.push({ source, resolve })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled || this.#turns.length === 0 || this.#inFlight === REQUESTS_IN_FLIGHT) return
    this.#isScheduled = true
    // One turn of the event loop lets everything that is ready at this moment join.
    setImmediate(() => {
      this.#isScheduled = false
      this.#inFlight++
      void this.#request().finally(() => {
        this.#inFlight--
        this.#schedule()
      })
      this.#schedule()
    })
  }

  async #request(): Promise<void> {
    let link: Link
    try {
      link = await this.#link()
    } catch (thrown) {
      const error = toRelayError(thrown)
      for (const { resolve } of this.#turns.splice(0)) resolve({ kind: 'unsent', error })
      return
    }
    const parts = await this.#encoded(this.#take())
    if (parts.length === 0) return
    let answer: ProduceAnswer | undefined
    try {
      answer = await link.produce(this.#body(parts), this.#acks !== 'none')
    } catch (error) {
      link.cut('given up, as a request got no answer')
      for (const { turn, batch } of parts) turn.resolve({ kind: 'unanswered', batch, error })
      return
    }
    for (const { turn, batch } of parts) turn.resolve(this.#sent(batch, answer))
  }

  #take(): { turn: Turn; batch: Batch }[] {
    const taken: { turn: Turn; batch: Batch }[] = []
    let room = this.#room()
    let bytes = 0
    while (room > 0 && bytes < REQUEST_BYTES) {
      const turn = this.#turns.shift()
      if (!turn) break
      const batch = turn.source.take(room)
      if (!batch) {
        turn.resolve({ kind: 'nothing' })
        continue
      }
      taken.push({ turn, batch })
      room -= batch.pendings.length
      for (const pending of batch.pendings) bytes += pending.bytes
    }
    return taken
  }

  /**
   * Half of a large crowd goes first: the other half is sent while the first is recorded. Else all jobs in hand would
   * move as one, and broker, Postgres and this process would wait for each other in turn. Where the settings say what
   * goes together, they are followed.
   */
  #room(): number {
    if (this.#settings.flush.intervalMs > 0) return Number.POSITIVE_INFINITY
    let crowd = 0
    for (const { source } of this.#turns) crowd += source.waiting
    return Math.max(SMALL_CROWD, Math.ceil(crowd / 2))
  }

  async #encoded(taken: { turn: Turn; batch: Batch }[]): Promise<Part[]> {
    const parts: Part[] = []
    for (const { turn, batch } of taken) {
      try {
        const records = await encodeRecordBatch(contentOf(batch), this.#compress)
        parts.push({ turn, batch, records })
      } catch (error) {
        turn.resolve({ kind: 'unencodable', batch, error: toRelayError(error) })
      }
    }
    return parts
  }

  #sent(batch: Batch, answer: ProduceAnswer | undefined): Sent {
    if (answer === undefined) return { kind: 'answered', batch, answer }
    const found = answer.topics
      .find(({ topicName }) => topicName === batch.topic)
      ?.partitions.find(({ partition }) => partition === batch.partition)
    if (found) return { kind: 'answered', batch, answer: found }
    const error = new Error(`the answer leaves out partition ${batch.partition} of topic ${batch.topic}`)
    return { kind: 'unanswered', batch, error }
  }

  /** A produce request: no transaction, acks, time limit, then topic by topic the batch of each partition. */
  #body(parts: readonly Part[]): Buffer {
    const byTopic = new Map<string, Part[]>()
    for (const part of parts) {
      const ofTopic = byTopic.get(part.batch.topic)
      if (ofTopic) ofTopic.push(part)
      else byTopic.set(part.batch.topic, [part])
    }
    const head = Buffer.alloc(12)
    head.writeInt16BE(-1, 0)
    head.writeInt16BE(ACKS[this.#acks], 2)
    head.writeInt32BE(this.#settings.requestTimeoutMs, 4)
    head.writeInt32BE(byTopic.size, 8)
    const pieces: Buffer[] = [head]
    for (const [topic, ofTopic] of byTopic) {
      const name = Buffer.alloc(6 + topic.length)
      name.writeInt16BE(topic.length, 0)
      name.write(topic, 2, 'latin1')
      name.writeInt32BE(ofTopic.length, 2 + topic.length)
      pieces.push(name)
      for (const { batch, records } of ofTopic) {
        const place = Buffer.alloc(8)
        place.writeInt32BE(batch.partition, 0)
        place.writeInt32BE(records.length, 4)
        pieces.push(place, records)
      }
    }
    return Buffer.concat(pieces)
  }
}

function contentOf({ pendings, sentAt, numbering }: Batch) {
  const messages: OutboundMessage[] = []
  let maxBytes = 0
  for (const pending of pendings) {
    messages.push(pending.message)
    maxBytes += pending.bytes
  }
  return { messages, maxBytes, sentAt, numbering }
}
