import { RelayError, toRelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { pause } from '../../core/time-limit.js'
import { judge } from './errors.js'
import { Gathering } from './gathering.js'
import type { Acknowledgement } from './guarantees.js'
import { after, type Identity, nextEpoch } from './identity.js'
import { errorOfCode, type PartitionAnswer } from './link.js'
import type { Pending } from './pending.js'
import { type Numbering, UNNUMBERED } from './record-batch.js'
import { lostPartition, rejectTooLarge } from './refusals.js'
import type { Batch, BatchSource, Sender, Sent } from './sender.js'
import type { KafkaSettings } from './settings.js'
import type { Topics } from './topics.js'

/** What the broker answers as append time where the topic keeps the time of the message. */
const NO_TIME = '-1'
/** Codes of the protocol, as https://kafka.apache.org/protocol#protocol_error_codes numbers them. */
const DUPLICATE_SEQUENCE = 46
/** The broker has lost track of the batches before, which a new epoch cures. */
const LOST_TRACK: ReadonlySet<number> = new Set([45, 59])
/** The broker has seen a newer epoch than this lane ever used: the producer id is not its own any more. */
const INVALID_PRODUCER_EPOCH = 47

export interface LaneContext {
  settings: KafkaSettings
  log: Log
  topics: Topics
  acknowledgement: Acknowledgement
  identity: Identity
  /** The sender to a broker. */
  senderTo: (nodeId: number) => Sender
  /** True once nothing new comes, so that nothing is worth waiting for. */
  isClosing: () => boolean
}

/**
 * The queue of one partition. What is ready goes out as one batch, and the next when the broker has answered, so that
 * a failure concerns one known batch and nothing overtakes a message that is sent again. A batch whose fate is not
 * known is sent again unchanged and under its old number, by which the broker recognizes it.
 */
export class Lane implements BatchSource {
  readonly topic: string
  readonly partition: number
  readonly #context: LaneContext
  readonly #onTaken: () => void
  readonly #waiting: Gathering
  /** What the broker may have taken: goes first, unchanged. */
  #inDoubt: Batch | undefined
  /** What the broker has not taken and may be sent again, before anything that waits. */
  #again: Pending[][] = []
  /** Of the next batch; undefined until there is a producer id. */
  #numbering: Numbering | undefined
  #isRunning = false
  #failures = 0

  /** @param onTaken called when waiting messages were taken for a send */
  constructor(topic: string, partition: number, context: LaneContext, onTaken: () => void) {
    this.topic = topic
    this.partition = partition
    this.#context = context
    this.#onTaken = onTaken
    this.#waiting = new Gathering(context.settings.flush)
    if (!context.acknowledgement.idempotent) this.#numbering = UNNUMBERED
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

  get waiting(): number {
    return this.#inDoubt?.pendings.length ?? this.#again[0]?.length ?? this.#waiting.count
  }

  take(mostMessages: number): Batch | undefined {
    this.#forgetSettled()
    if (this.#inDoubt) return this.#inDoubt
    const pendings = this.#again.shift() ?? this.#fresh(mostMessages)
    if (pendings.length === 0 || this.#numbering === undefined) return undefined
    const { topic, partition } = this
    return { topic, partition, pendings, sentAt: Date.now(), numbering: this.#numbering }
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#forgetSettled()
      const isSentBefore = this.#inDoubt !== undefined || this.#again.length > 0
      if (!isSentBefore && this.#waiting.count === 0) break
      if (!isSentBefore && !this.#context.isClosing()) await this.#waiting.due()
      const start = performance.now()
      await this.#settle(await this.#send(), start)
    }
    this.#isRunning = false
  }

  async #send(): Promise<Sent> {
    const { identity, topics, senderTo } = this.#context
    if (this.#numbering === undefined) {
      try {
        this.#numbering = { producerId: await identity.get(), epoch: 0, sequence: 0 }
      } catch (error) {
        return { kind: 'unsent', error: toRelayError(error) }
      }
    }
    const leader = topics.leader(this.topic, this.partition)
    if (leader !== undefined) return senderTo(leader).send(this)
    return { kind: 'unsent', error: new RelayError('BROKER_UNAVAILABLE', `${this.#name} has no leader`) }
  }

  #settle(sent: Sent, start: number): Promise<void> | void {
    switch (sent.kind) {
      case 'nothing':
        return
      case 'unsent':
        return this.#unsent(sent.error, start)
      case 'unencodable':
        return this.#reject(sent.batch, sent.error)
      case 'unanswered': {
        const { error } = judge(sent.error, `publishing to ${this.#name}`, this.#context.settings)
        this.#keep(sent.batch, true)
        return this.#lookAgain(sent.batch, error)
      }
      case 'answered':
        return this.#answered(sent.batch, sent.answer)
      default:
        return sent satisfies never
    }
  }

  #answered(batch: Batch, answer: PartitionAnswer | undefined): Promise<void> | void {
    const code = answer?.errorCode ?? 0
    if (code === 0) return this.#published(batch, answer)
    // Taken when it was sent before, too long ago for the broker to know where it lies.
    if (code === DUPLICATE_SEQUENCE) return this.#published(batch, undefined)
    const lostTrack = LOST_TRACK.has(code) || code === INVALID_PRODUCER_EPOCH
    if (lostTrack)
      this.#restart(code === INVALID_PRODUCER_EPOCH ? undefined : nextEpoch(batch.numbering), batch)
    const { settings } = this.#context
    const { remedy, error } = judge(errorOfCode(code), `publishing to ${this.#name}`, settings)
    switch (remedy) {
      case 'split':
        return this.#split(batch, error)
      case 'reject':
        return this.#reject(batch, error)
      case 'retry':
        // Its leader may have written it and then failed to have it replicated, so the batch stays in doubt.
        this.#keep(batch, !lostTrack)
        return this.#retry(batch.pendings, error)
      case 'lookup':
        this.#keep(batch, !lostTrack)
        return this.#lookAgain(batch, error)
      default:
        return remedy satisfies never
    }
  }

  #published(batch: Batch, answer: PartitionAnswer | undefined): void {
    this.#failures = 0
    this.#inDoubt = undefined
    const { pendings, numbering, sentAt } = batch
    if (this.#context.acknowledgement.idempotent) this.#numbering = after(numbering, pendings.length)
    const baseOffset = answer === undefined ? undefined : BigInt(answer.baseOffset)
    const appendTime = answer?.logAppendTime ?? NO_TIME
    pendings.forEach((pending, index) => {
      pending.succeed({
        kind: 'kafka',
        topic: this.topic,
        partition: this.partition,
        offset: baseOffset === undefined ? null : String(baseOffset + BigInt(index)),
        timestamp: appendTime === NO_TIME ? String(pending.message.timestamp ?? sentAt) : appendTime,
      })
    })
  }

  async #lookAgain(batch: Batch, error: RelayError): Promise<void> {
    try {
      const partitions = await this.#context.topics.lookup(this.topic)
      if (this.partition >= partitions) rejectAll(batch.pendings, lostPartition(this.#name, partitions))
      else await this.#retry(batch.pendings, asTransient(error))
    } catch (thrown) {
      const reason = toRelayError(thrown)
      if (reason.retryable) await this.#retry(batch.pendings, reason)
      else rejectAll(batch.pendings, reason)
    }
  }

  /** Kafka takes a batch whole or not at all: halving it finds the message to blame. */
  #split(batch: Batch, error: RelayError): Promise<void> | void {
    const { pendings } = batch
    const [only] = pendings
    this.#keep(batch, false)
    if (only && pendings.length === 1) {
      if (error.retryable) return this.#retry(pendings, error)
      this.#again.shift()
      if (error.code === 'MESSAGE_TOO_LARGE') void rejectTooLarge(only, this.#context, error)
      else only.fail(error)
      return
    }
    if (error.code === 'MESSAGE_TOO_LARGE') {
      const bytes = pendings.reduce((sum, pending) => sum + pending.bytes, 0)
      this.#waiting.keepBelow(bytes / 2)
    }
    const half = Math.ceil(pendings.length / 2)
    this.#again.splice(0, 1, pendings.slice(0, half), pendings.slice(half))
  }

  #reject(batch: Batch, error: RelayError): void {
    rejectAll(batch.pendings, error)
    this.#keep(batch, false)
  }

  /** Has what was sent sent again: unchanged while the broker may have it, else in any way. */
  #keep(batch: Batch, isInDoubt: boolean): void {
    const wasInDoubt = this.#inDoubt === batch
    this.#inDoubt = undefined
    if (isInDoubt && this.#context.acknowledgement.idempotent) {
      this.#inDoubt = batch
      return
    }
    this.#again.unshift(batch.pendings)
    // Whatever the broker may still get of the batch as it was must not count beside what comes instead.
    if (wasInDoubt) this.#restart(nextEpoch(batch.numbering), batch)
  }

  /** Gives up what may not be sent again, and waits before the rest is. */
  async #retry(pendings: readonly Pending[], error: RelayError): Promise<void> {
    const { settings, log } = this.#context
    const { retries = Number.POSITIVE_INFINITY, retryBackoffMs, retryBackoffMaxMs } = settings
    const now = performance.now()
    for (const pending of pendings) {
      if (pending.resends >= retries || pending.retryUntil <= now) pending.fail(error)
      pending.resends++
    }
    log.warn('a batch was not acknowledged', { reason: error.message, messages: pendings.length })
    await pause(Math.min(retryBackoffMs * 2 ** this.#failures, retryBackoffMaxMs))
    this.#failures++
  }

  /** Nothing was sent, as there is no producer id, or no leader known and in reach: the cluster may have named another by now. */
  async #unsent(error: RelayError, start: number): Promise<void> {
    if (this.#numbering === undefined) return this.#clusterAway(error, start)
    try {
      await this.#context.topics.lookup(this.topic)
    } catch (thrown) {
      return this.#clusterAway(toRelayError(thrown), start)
    }
    if (!this.#inDoubt && this.#again.length === 0) this.#again.push(this.#fresh(Number.POSITIVE_INFINITY))
    await this.#retry(this.#inDoubt?.pendings ?? this.#again[0] ?? [], error)
  }

  /**
   * What was never sent fails at once, unless it came after the attempt had begun: the next may find the cluster back.
   * What was sent without an answer is kept: it may have arrived, and failing it would only have it sent again later,
   * out of order.
   */
  async #clusterAway(error: RelayError, start: number): Promise<void> {
    rejectAll(this.#waiting.takeOlder(start), error)
    const sentBefore = [...(this.#inDoubt?.pendings ?? []), ...this.#again.flat()]
    if (!error.retryable) rejectAll(sentBefore, error)
    else if (sentBefore.length > 0) await this.#retry(sentBefore, error)
  }

  #fresh(mostMessages: number): Pending[] {
    const pendings = this.#waiting.take(mostMessages).filter(({ isSettled }) => !isSettled)
    this.#onTaken()
    return pendings
  }

  /** Drops what its publishers have given up or had rejected. */
  #forgetSettled(): void {
    if (this.#inDoubt?.pendings.some(({ isSettled }) => isSettled)) this.#keep(this.#inDoubt, false)
    if (this.#again.length === 0) return
    this.#again = this.#again
      .map((pendings) => pendings.filter(({ isSettled }) => !isSettled))
      .filter(({ length }) => length > 0)
  }

  /** Numbers what follows anew, so that the broker takes no notice of anything older. @param next undefined: by a new id */
  #restart(next: Numbering | undefined, { numbering }: Batch): void {
    this.#inDoubt = undefined
    this.#numbering = next
    if (next === undefined) this.#context.identity.discard(numbering.producerId)
  }

  get #name(): string {
    return `partition ${this.partition} of topic ${this.topic}`
  }
}

function rejectAll(pendings: readonly Pending[], error: RelayError): void {
  for (const pending of pendings) pending.fail(error)
}

/** The topic was looked up and is there: what the broker said of it has passed. */
function asTransient(error: RelayError): RelayError {
  return error.retryable ? error : new RelayError('BROKER_UNAVAILABLE', error.message, { cause: error.cause })
}
