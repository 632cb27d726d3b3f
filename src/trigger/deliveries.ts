import { setMaxListeners } from 'node:events'
import type { InboundMessage } from '../brokers/subscription.js'
import type { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { pause } from '../core/time-limit.js'
import { Background } from './background.js'
import { stopsConsumption } from './outages.js'
import type { TriggerHandler } from './run-trigger.js'
import type { Trigger } from './trigger.js'

/** Messages in hand of a trigger that acknowledges what it has received, where it does not say. */
const DEFAULT_IN_BACKGROUND = 20

/** The messages of one trigger that this worker has in hand. */
export class Deliveries {
  readonly #trigger: () => Trigger
  readonly #handler: Pick<TriggerHandler, 'handle'>
  readonly #onChange: () => void
  readonly #background: Background
  readonly #ending = new AbortController()
  /** What messages wait for; each as often as messages do. */
  readonly #holds: RelayError[] = []

  /** @param onChange told whenever `heldBy` may have changed */
  constructor(given: {
    trigger: () => Trigger
    handler: Pick<TriggerHandler, 'handle'>
    onChange: () => void
    log: Log
  }) {
    this.#trigger = given.trigger
    this.#handler = given.handler
    this.#onChange = given.onChange
    this.#background = new Background(given.log)
    setMaxListeners(0, this.#ending.signal)
  }

  /** What is away, so that no further messages are wanted. */
  get heldBy(): RelayError | undefined {
    return this.#holds.find(stopsConsumption)
  }

  /** What any of them waits for. */
  get waitFor(): RelayError | undefined {
    return this.heldBy ?? this.#holds[0]
  }

  /** Those that are acknowledged already. */
  get acknowledged(): number {
    return this.#background.size
  }

  /** @param signal aborted: those that wait for what is away are left to their redelivery */
  async handle(messages: readonly InboundMessage[], signal: AbortSignal): Promise<void> {
    const { acknowledge, concurrency, order } = this.#trigger()
    if (acknowledge === 'received') {
      const limit = concurrency ?? DEFAULT_IN_BACKGROUND
      for (const message of messages) await this.#background.take(limit, () => this.#persist(message))
    } else if (order === 'none' && messages.length > 1) {
      await allEnded(messages.map((message) => this.#handleOne(message, signal)))
    } else {
      for (const message of messages) await this.#handleOne(message, signal)
    }
  }

  /** Resolves once those are handled that are acknowledged already, within a time limit. */
  async end(): Promise<void> {
    this.#ending.abort()
    await this.#background.end()
  }

  /** Before a message comes again, milliseconds, by the attempt that failed. */
  readonly redeliveryDelayMs = (attempt: number): number => {
    const { retryBackOffMs, retryBackOffMaxMs } = this.#trigger()
    return Math.min(retryBackOffMaxMs, retryBackOffMs * 2 ** Math.min(attempt - 1, 30))
  }

  #handleOne(message: InboundMessage, signal: AbortSignal): Promise<unknown> {
    return this.#handler.handle(this.#trigger(), message, { signal, onHold: this.#onHold })
  }

  readonly #onHold = (error: RelayError): (() => void) => {
    this.#holds.push(error)
    this.#onChange()
    return () => {
      this.#holds.splice(this.#holds.indexOf(error), 1)
      this.#onChange()
    }
  }

  /** Nobody hands it over again. */
  async #persist(message: InboundMessage): Promise<void> {
    const { signal } = this.#ending
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#handleOne({ ...message, attempt }, signal)
        return
      } catch (error) {
        if (signal.aborted) throw error
        await pause(this.redeliveryDelayMs(attempt), signal)
      }
    }
  }
}

/**
 * A signal that is aborted with either. One for each of the others: made for each message, they would add up. All messages
 * in hand may wait for it, which Node.js would take for a leak.
 */
export function eitherOf(one: AbortSignal): (other: AbortSignal) => AbortSignal {
  const known = new WeakMap<AbortSignal, AbortSignal>()
  return (other) => {
    const made = known.get(other)
    if (made) return made
    const either = AbortSignal.any([one, other])
    setMaxListeners(0, either)
    known.set(other, either)
    return either
  }
}

/** @throws the first reason, once all have ended */
async function allEnded(works: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === 'rejected') throw result.reason
}
