import { RelayError } from '../../core/errors.js'
import type { KafkaClients } from './client.js'
import type { Link, Metadata } from './link.js'
import type { KafkaSettings } from './settings.js'

/** The brokers of the cluster, as its metadata names them, each with one connection at most. */
export class Nodes {
  readonly #settings: KafkaSettings
  readonly #clients: KafkaClients
  /** By node id. */
  readonly #addresses = new Map<number, string>()
  readonly #links = new Map<number, Link>()
  #anyLink: Link | undefined
  #searching: Promise<Link> | undefined
  /** The candidate to begin with: another after each one that failed. */
  #first = 0

  constructor(settings: KafkaSettings, clients: KafkaClients) {
    this.#settings = settings
    this.#clients = clients
  }

  learn(brokers: Metadata['brokers']): void {
    for (const { nodeId, host, port } of brokers) this.#addresses.set(nodeId, `${host}:${port}`)
  }

  /** A connection to some broker, for questions all can answer; all who wait share one search. @throws RelayError */
  async any(): Promise<Link> {
    if (this.#anyLink?.isUsable) return this.#anyLink
    this.#searching ??= this.#search().finally(() => {
      this.#searching = undefined
    })
    return this.#searching
  }

  /** The connection to a broker metadata has named. @throws RelayError */
  async node(id: number): Promise<Link> {
    const address = this.#addresses.get(id)
    if (address === undefined) {
      throw new RelayError('BROKER_UNAVAILABLE', `Kafka named no address of its broker ${id}`)
    }
    let link = this.#links.get(id)
    if (link?.address !== address || !link.isUsable) {
      link = this.#clients.link(address)
      this.#links.set(id, link)
    }
    await link.connect()
    return link
  }

  async #search(): Promise<Link> {
    const candidates = [...new Set([...this.#settings.bootstrapServers, ...this.#addresses.values()])]
    let failure: unknown
    for (const _ of candidates) {
      const link = this.#clients.link(candidates[this.#first % candidates.length] ?? '')
      try {
        await link.connect()
        this.#anyLink = link
        return link
      } catch (error) {
        failure = error
        this.#first++
      }
    }
    throw failure
  }
}
