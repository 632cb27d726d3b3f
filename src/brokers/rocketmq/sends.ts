import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CheckedMessage } from './message.js'
import type { Queue, Stored, Wire } from './wire.js'

/** Far below what brokers take at once (4 MiB by default), so that one send does not hold up the others. */
const MOST_BYTES = 512 * 1024
/** More than what the broker adds to a message. */
const OVERHEAD_BYTES = 256

/** What one caller has in a send. */
export interface Sending<Q extends Queue> {
  queue: Q
  /** All messages of the send, those of others included. */
  messages: readonly CheckedMessage[]
  /** Of all of them, in their order. */
  stored: Promise<Stored[]>
  /** Where the caller's begin. */
  from: number
}

/** A send that waits for the next turn of the event loop. */
interface Open<Q extends Queue> {
  queue: Q
  messages: CheckedMessage[]
  bytes: number
  stored: Promise<Stored[]>
}

/**
 * Joins messages that are ready at the same moment, and may travel together, into one send. Without a timer: the
 * moment is one turn of the event loop. Sends never wait for each other.
 */
export class Sends<Q extends Queue> {
  readonly #wire: Wire<Q>
  readonly #timeoutMs: number
  readonly #mostBytes: number
  readonly #open = new Map<string, Open<Q>>()

  /** @param maxMessageBytes what the broker takes as one message, and so as one send */
  constructor(wire: Wire<Q>, settings: { sendTimeoutMs: number; maxMessageBytes: number }) {
    this.#wire = wire
    this.#timeoutMs = settings.sendTimeoutMs
    this.#mostBytes = Math.min(MOST_BYTES, settings.maxMessageBytes / 2)
  }

  /** Sends the messages in a request of their own. */
  alone(messages: readonly CheckedMessage[], queue: Q, limitMs: number): Sending<Q> {
    const timeoutMs = Math.min(limitMs, this.#timeoutMs)
    return { queue, messages, stored: this.#wire.send(messages, queue, timeoutMs), from: 0 }
  }

  /**
   * Sends the messages, in their order and one after the other, with those of others of the same company.
   * @param pick where the first of the company leads all to
   */
  join(company: string, messages: readonly CheckedMessage[], pick: () => Q): Sending<Q> {
    let bytes = 0
    for (const message of messages) bytes += sizeOf(message)
    const waiting = this.#open.get(company)
    const send = waiting && waiting.bytes + bytes <= this.#mostBytes ? waiting : this.#start(company, pick())
    const from = send.messages.length
    send.messages.push(...messages)
    send.bytes += bytes
    return { queue: send.queue, messages: send.messages, stored: send.stored, from }
  }

  #start(company: string, queue: Q): Open<Q> {
    const messages: CheckedMessage[] = []
    const stored = nextTurn().then(() => {
      if (this.#open.get(company) === send) this.#open.delete(company)
      return this.#wire.send(messages, queue, this.#timeoutMs)
    })
    const send = { queue, messages, bytes: 0, stored }
    this.#open.set(company, send)
    return send
  }
}

/** At least, and with not much beyond, what it takes of a send. */
function sizeOf({ body, properties, keys, tag }: CheckedMessage): number {
  let letters = tag?.length ?? 0
  for (const name in properties) letters += name.length + (properties[name]?.length ?? 0)
  for (const key of keys) letters += key.length
  return body.length + OVERHEAD_BYTES + 3 * letters
}
