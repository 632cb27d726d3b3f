import { createHash, randomInt } from 'node:crypto'
import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import type { Queue, Route } from './wire.js'

/** As often as RocketMQ's own clients ask. */
const FRESH_MS = 30_000
/** A topic about to be created gets its real route as soon as there is one. */
const PROVISIONAL_FRESH_MS = 1000
/**
 * So long nobody must know a topic that was there before it counts as gone: a name server that was started anew knows
 * none until its brokers, of which each comes every 30 s, have told it. Meanwhile the old route leads to a broker, which
 * knows better.
 */
const GONE_AFTER_MS = 90_000

interface Entry<Q extends Queue> {
  route: Route<Q>
  staleAt: number
  /** Since when nobody knows the topic any more. */
  unknownSince?: number
}

/**
 * The queues of every topic in use. A known route is used, stale or not, while a new one is looked up, so that a
 * name server may be away as long as the brokers are there; only the first message of a topic waits.
 */
export class Routes<Q extends Queue> {
  readonly #entries = new Map<string, Entry<Q>>()
  readonly #lookups = new Map<string, Promise<Route<Q>>>()
  /** Topics that nobody knows. */
  readonly #missing = new Map<string, { since: number; seenAt: number }>()
  readonly #ask: (topic: string) => Promise<Route<Q>>
  readonly #topicLagMs: number
  readonly #log: Log
  #next = randomInt(2 ** 31)

  /** @param topicLagMs how long servers may not know a topic that is there already */
  constructor(ask: (topic: string) => Promise<Route<Q>>, topicLagMs: number, log: Log) {
    this.#ask = ask
    this.#topicLagMs = topicLagMs
    this.#log = log
  }

  /** The route last looked up, if any; a stale one is renewed behind the caller's back. */
  known(topic: string): Route<Q> | undefined {
    const entry = this.#entries.get(topic)
    if (entry && performance.now() >= entry.staleAt) this.renew(topic)
    return entry?.route
  }

  /** To be called when a send failed, too: its queue may have moved. */
  renew(topic: string): void {
    void this.lookUp(topic).catch(() => undefined)
  }

  /** One look-up per topic at a time, shared by all that wait for it. @throws RelayError */
  lookUp(topic: string): Promise<Route<Q>> {
    const running = this.#lookups.get(topic)
    if (running) return running
    const lookup = this.#lookUpAndKeep(topic).finally(() => this.#lookups.delete(topic))
    this.#lookups.set(topic, lookup)
    return lookup
  }

  /** Whether a topic that is unknown may yet be there, because its servers have not been asked for long enough. */
  mayAppear(topic: string): boolean {
    const missing = this.#missing.get(topic)
    return missing !== undefined && missing.seenAt - missing.since < this.#topicLagMs
  }

  /** Ends with the look-ups under way, those that nobody waits for included. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#lookups.values())
  }

  /**
   * A queue for one attempt: always the same one for a message group, otherwise one after the other, avoiding
   * the broker of a failed attempt where there is another.
   */
  pick(route: Route<Q>, messageGroup: string | undefined, avoid: string | undefined): Q {
    if (messageGroup !== undefined) return pickByGroup(route, messageGroup)
    const { queues } = route
    const start = this.#next++
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[(start + i) % queues.length]
      if (queue && queue.broker !== avoid) return queue
    }
    return at(queues, start % queues.length)
  }

  async #lookUpAndKeep(topic: string): Promise<Route<Q>> {
    try {
      const route = await this.#ask(topic)
      const freshMs = route.provisional ? PROVISIONAL_FRESH_MS : FRESH_MS
      this.#entries.set(topic, { route, staleAt: performance.now() + freshMs })
      this.#missing.delete(topic)
      return route
    } catch (error) {
      if (isTopicUnknown(error)) this.#noteMissing(topic)
      if (error instanceof RelayError && !error.retryable) this.#forget(topic, error)
      this.#log.debug('looking up the route of a topic failed', { topic, error: String(error) })
      throw error
    }
  }

  #forget(topic: string, error: RelayError): void {
    const entry = this.#entries.get(topic)
    if (!entry) return
    const now = performance.now()
    entry.unknownSince ??= now
    entry.staleAt = now + PROVISIONAL_FRESH_MS
    if (!isTopicUnknown(error) || now - entry.unknownSince >= GONE_AFTER_MS) this.#entries.delete(topic)
  }

  /** One that nobody asked for meanwhile counts as new: its servers may be as far behind as at first. */
  #noteMissing(topic: string): void {
    const now = performance.now()
    for (const [other, { seenAt }] of this.#missing) {
      if (now - seenAt > this.#topicLagMs) this.#missing.delete(other)
    }
    this.#missing.set(topic, { since: this.#missing.get(topic)?.since ?? now, seenAt: now })
  }
}

/** Whether it is an answer of servers that know of no such topic. */
export function isTopicUnknown(error: unknown): boolean {
  return error instanceof RelayError && error.code === 'TOPIC_UNKNOWN'
}

/**
 * While a topic is being created its group messages go to one broker only, as the broker that gets the first
 * message is the one that has the topic afterwards: the queues of the real route are then the same.
 */
function pickByGroup<Q extends Queue>(route: Route<Q>, messageGroup: string): Q {
  const first = at(route.queues, 0)
  const queues = route.provisional
    ? route.queues.filter((queue) => queue.broker === first.broker)
    : route.queues
  const hash = createHash('md5').update(messageGroup).digest().readUInt32BE()
  return at(queues, hash % queues.length)
}

function at<Q extends Queue>(queues: Q[], index: number): Q {
  const queue = queues[index]
  if (!queue) throw new RelayError('INTERNAL', `a route has no queue ${index}`)
  return queue
}
