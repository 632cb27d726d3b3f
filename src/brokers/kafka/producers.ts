import type { Producer, ProducerRecord, RecordMetadata } from 'kafkajs'
import { RelayError } from '../../core/errors.js'
import { pause, withTimeLimit } from '../../core/time-limit.js'
import type { KafkaClient, KafkaClients } from './client.js'
import { judge, unanswered } from './errors.js'
import type { Acknowledgement } from './guarantees.js'
import type { KafkaSettings } from './settings.js'

/** Longest wait for other sends of a producer that is to be discarded. */
const DRAIN_MS = 2000

interface Generation {
  client: KafkaClient
  producer: Producer
  inFlight: number
  onIdle?: () => void
}

/**
 * The producer all lanes share, replaced after any send that failed. kafkajs forgets the sequence numbers of a failed
 * send, and the broker would take the next one for its duplicate: acknowledged, never written. So after a failure no
 * send starts until those in flight have ended, the producer id is gone and a new one was given out.
 */
export class Producers {
  readonly acknowledgement: Acknowledgement
  readonly #settings: KafkaSettings
  readonly #clients: KafkaClients
  /** Takes sends. */
  #current: Generation | undefined
  /** Takes no more; may have sends in flight. */
  #doomed: Generation | undefined
  #opening: Promise<void> | undefined
  #failedAttempts = 0

  constructor(settings: KafkaSettings, acknowledgement: Acknowledgement, clients: KafkaClients) {
    this.#settings = settings
    this.acknowledgement = acknowledgement
    this.#clients = clients
  }

  get isReady(): boolean {
    return this.#current !== undefined
  }

  /** Makes a producer unless there is one; all who wait share one attempt. @throws RelayError */
  ready(): Promise<void> {
    if (this.#current) return Promise.resolve()
    this.#opening ??= this.#renew().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** Sends on the producer there is; any failure, the time limit among them, discards it. */
  async send(record: ProducerRecord, limitMs: number): Promise<RecordMetadata[]> {
    const generation = this.#current
    if (!generation) throw new RelayError('INTERNAL', 'send was called without a producer')
    generation.inFlight++
    const sending = generation.producer.send(record).finally(() => {
      generation.inFlight--
      if (generation.inFlight === 0) generation.onIdle?.()
    })
    try {
      return await withTimeLimit(sending, limitMs, () =>
        unanswered(`publishing to topic ${record.topic}`, this.#settings.bootstrapServers),
      )
    } catch (error) {
      this.#doom(generation)
      throw error
    }
  }

  /** Discards the producer for a reason only its user can see. */
  discard(): void {
    if (this.#current) this.#doom(this.#current)
  }

  #doom(generation: Generation): void {
    if (this.#current !== generation) return
    this.#current = undefined
    this.#doomed = generation
  }

  async #renew(): Promise<void> {
    if (this.#doomed) {
      await drained(this.#doomed)
      this.#doomed.client.cut('given up, as an earlier request got no answer')
      this.#doomed = undefined
    }
    if (this.#failedAttempts > 0) await pause(Math.min(50 * 2 ** this.#failedAttempts, 1000))
    const { idempotent } = this.acknowledgement
    const { connectionTimeoutMs, requestTimeoutMs, bootstrapServers } = this.#settings
    const client = this.#clients.open()
    const producer = client.kafka.producer({
      idempotent,
      // The same producer id and sequence once more, which the broker recognizes: the first remedy for a lost answer.
      retry: { retries: idempotent ? 1 : 0 },
      // Topics are looked up, and where the cluster does so created, before anything is sent to them.
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    })
    try {
      await withTimeLimit(producer.connect(), connectionTimeoutMs + requestTimeoutMs, () =>
        unanswered('connecting', bootstrapServers),
      )
    } catch (error) {
      this.#failedAttempts++
      client.cut('given up')
      throw judge(error, 'connecting', this.#settings).error
    }
    this.#failedAttempts = 0
    this.#current = { client, producer, inFlight: 0 }
  }
}

async function drained(generation: Generation): Promise<void> {
  if (generation.inFlight === 0) return
  const idle = new Promise<void>((resolve) => {
    generation.onIdle = resolve
  })
  await withTimeLimit(idle, DRAIN_MS, () => new Error('still busy')).catch(() => undefined)
}
