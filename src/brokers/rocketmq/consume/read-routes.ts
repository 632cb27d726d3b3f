import { RelayError, toRelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import type { QueueRequests, ReadQueue, ReadRoute } from './queue-requests.js'

/** Where the topics of a subscription lie. What is known is used until something newer is. */
export class ReadRoutes {
  readonly #requests: QueueRequests
  readonly #log: Log
  readonly #routes = new Map<string, ReadRoute>()

  constructor(requests: QueueRequests, log: Log) {
    this.#requests = requests
    this.#log = log
  }

  /** @throws RelayError when one cannot be had, TOPIC_UNKNOWN among others */
  async require(topics: Iterable<string>): Promise<void> {
    for (const topic of topics) this.#routes.set(topic, await this.#requests.route(topic))
  }

  /** Keeps the old ones where it fails: name servers forget the topics of brokers that are away. */
  async renew(topics: Iterable<string>): Promise<void> {
    for (const topic of topics) {
      await this.require([topic]).catch((thrown: unknown) =>
        this.#log.debug('looking up the route of a topic failed', {
          topic,
          error: toRelayError(thrown).message,
        }),
      )
    }
  }

  get known(): ReadonlyMap<string, ReadRoute> {
    return this.#routes
  }

  /** Of all brokers, each once. */
  get addresses(): string[] {
    return [...new Set([...this.#routes.values()].flatMap(({ addresses }) => addresses))]
  }

  /** @throws RelayError BROKER_UNAVAILABLE */
  addressOf({ topic, broker }: ReadQueue): string {
    const address = this.#routes.get(topic)?.addressOf.get(broker)
    if (address !== undefined) return address
    throw new RelayError('BROKER_UNAVAILABLE', `broker "${broker}" of topic "${topic}" is not running`)
  }
}
