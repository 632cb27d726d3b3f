import { RelayError, toRelayError } from '../../../core/errors.js'
import type { RocketmqSettings } from '../settings.js'
import { withNamespace } from '../settings.js'
import { allocateAveragely } from './allocation.js'
import { type SubscriptionData, subscriptionData } from './filter.js'
import type { GroupRequests } from './group-requests.js'
import { retryTopic, withoutNamespace } from './inbound.js'
import type { ReadQueue, ReadRoute } from './queue-requests.js'
import type { ReadRoutes } from './read-routes.js'
import type { CheckedSource } from './source.js'

export interface GroupMembershipOptions {
  /** As the server spells it. */
  group: string
  source: CheckedSource
  settings: RocketmqSettings
  requests: GroupRequests
  routes: ReadRoutes
}

/**
 * One member of a group, as its brokers know it: they are told what it subscribes to and name its fellows, with whom it
 * shares out the queues.
 */
export class GroupMembership {
  readonly #options: GroupMembershipOptions
  /** By the topic as the server spells it, that of the messages sent back included. */
  readonly #subscriptions: ReadonlyMap<string, SubscriptionData>

  constructor(options: GroupMembershipOptions) {
    const { group, source, settings } = options
    this.#options = options
    const version = Date.now()
    const wanted = source.topics.map(({ topic, filter }) =>
      subscriptionData(withNamespace(topic, settings), filter, version),
    )
    if (this.#isClustering) wanted.push(subscriptionData(retryTopic(group), undefined, version))
    this.#subscriptions = new Map(wanted.map((data) => [data.topic, data]))
  }

  /** As the server spells them, that of the messages sent back included. */
  get topics(): string[] {
    return [...this.#subscriptions.keys()]
  }

  subscriptionTo(topic: string): SubscriptionData {
    const data = this.#subscriptions.get(topic)
    if (data) return data
    throw new RelayError('INTERNAL', `topic "${topic}" is not subscribed to`)
  }

  /** SQL expressions are compiled by the broker. @throws RelayError INPUT_INVALID with what it says is wrong with one */
  async checkExpressions(): Promise<void> {
    const { requests, routes, settings } = this.#options
    for (const data of this.#subscriptions.values()) {
      if (data.expressionType !== 'SQL92') continue
      const address = routes.addresses[0]
      if (address === undefined) return
      try {
        await requests.checkSubscription(address, data)
      } catch (thrown) {
        const error = toRelayError(thrown)
        // Brokers call what they cannot compile a refusal, or an error of theirs.
        if (error.code !== 'BROKER_REFUSED' && error.code !== 'BROKER_UNAVAILABLE') throw error
        throw new RelayError(
          'INPUT_INVALID',
          `the filter of topic "${withoutNamespace(data.topic, settings.namespace)}" cannot be used: ` +
            `${error.message}; correct the SQL expression, and let the brokers filter by properties (enablePropertyFilter=true)`,
          { cause: thrown },
        )
      }
    }
  }

  /**
   * Tells the brokers of this member, and asks them which queues are its share.
   * @param held those it has
   * @returns besides, whether every broker and every route was there
   * @throws RelayError when no broker could be told, or none of a topic answers
   */
  async join(held: readonly ReadQueue[]): Promise<{ share: ReadQueue[]; isComplete: boolean }> {
    const { source, requests, routes } = this.#options
    const { mode, from } = source
    const member = { mode, from, subscriptions: [...this.#subscriptions.values()] }
    const beats = await Promise.allSettled(
      routes.addresses.map((address) => requests.heartbeat(address, member)),
    )
    const failed = beats.find((beat) => beat.status === 'rejected')
    if (failed && beats.every((beat) => beat.status === 'rejected')) throw failed.reason
    const share: ReadQueue[] = []
    for (const [topic, route] of routes.known) share.push(...(await this.#shareOf(topic, route, held)))
    return { share, isComplete: !failed && routes.known.size === this.#subscriptions.size }
  }

  /** Never rejects: brokers forget by themselves a member that is silent. */
  async leave(): Promise<void> {
    const { requests, routes } = this.#options
    await Promise.allSettled(routes.addresses.map((address) => requests.leave(address)))
  }

  async #shareOf(topic: string, route: ReadRoute, held: readonly ReadQueue[]): Promise<readonly ReadQueue[]> {
    if (!this.#isClustering) return route.queues
    const { clientId } = this.#options.requests
    const members = await this.#members(route)
    if (members.includes(clientId)) return allocateAveragely(route.queues, members, clientId)
    // The broker has just forgotten this member, which the next heartbeat sets right.
    return held.filter((queue) => queue.topic === topic)
  }

  async #members(route: ReadRoute): Promise<string[]> {
    let failure: unknown
    for (const address of new Set(route.addressOf.values())) {
      try {
        return await this.#options.requests.members(address)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  get #isClustering(): boolean {
    return this.#options.source.mode === 'clustering'
  }
}
