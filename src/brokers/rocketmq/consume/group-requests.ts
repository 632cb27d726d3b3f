import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Type } from 'typebox'
import type { ConsumeMode, InitialPosition } from '../../subscription.js'
import type { ConsumerClient } from './consumer-client.js'
import type { SubscriptionData } from './filter.js'
import type { ReadQueue } from './queue-requests.js'

export interface Membership {
  mode: ConsumeMode
  from: InitialPosition
  subscriptions: SubscriptionData[]
}

const CODE = {
  HEART_BEAT: 34,
  UNREGISTER_CLIENT: 35,
  GET_CONSUMER_LIST_BY_GROUP: 38,
  LOCK_BATCH_MQ: 41,
  UNLOCK_BATCH_MQ: 42,
  CHECK_CLIENT_CONFIG: 46,
} as const

const ConsumerList = Type.Object({ consumerIdList: Type.Array(Type.String()) })
const Locked = Type.Object({
  lockOKMQSet: Type.Array(
    Type.Object({ topic: Type.String(), brokerName: Type.String(), queueId: Type.Integer() }),
  ),
})

/** What a member has to do with its group: single requests to its brokers. */
export class GroupRequests {
  readonly #client: ConsumerClient
  /** By which brokers and fellow members know this one. */
  readonly clientId = `${hostname()}@${process.pid}@${randomUUID().slice(0, 8)}`

  constructor(client: ConsumerClient) {
    this.#client = client
  }

  async heartbeat(address: string, { mode, from, subscriptions }: Membership): Promise<void> {
    const body = {
      clientID: this.clientId,
      producerDataSet: [],
      consumerDataSet: [
        {
          groupName: this.#client.group,
          consumeType: 'CONSUME_PASSIVELY',
          messageModel: mode === 'clustering' ? 'CLUSTERING' : 'BROADCASTING',
          consumeFromWhere: fromWhere(from),
          subscriptionDataSet: subscriptions,
          unitMode: false,
        },
      ],
    }
    await this.#client.ask(address, CODE.HEART_BEAT, {}, { body })
  }

  /** Compiles the filter there. @throws RelayError with the broker's complaint about it */
  async checkSubscription(address: string, data: SubscriptionData): Promise<void> {
    const body = { clientId: this.clientId, group: this.#client.group, subscriptionData: data }
    await this.#client.ask(address, CODE.CHECK_CLIENT_CONFIG, {}, { body, topic: data.topic })
  }

  async leave(address: string): Promise<void> {
    const header = { clientID: this.clientId, consumerGroup: this.#client.group }
    await this.#client.ask(address, CODE.UNREGISTER_CLIENT, header)
  }

  /** Client ids. @throws RelayError when the broker knows no member of the group */
  async members(address: string): Promise<string[]> {
    const header = { consumerGroup: this.#client.group }
    const list = await this.#client.askFor(ConsumerList, address, CODE.GET_CONSUMER_LIST_BY_GROUP, header)
    return list.consumerIdList
  }

  /** Those of the queues, all of that broker, that no other member has: nobody else gets them for a minute. */
  async lock(address: string, queues: ReadQueue[]): Promise<ReadQueue[]> {
    const content = { body: this.#lockBody(queues) }
    const { lockOKMQSet } = await this.#client.askFor(Locked, address, CODE.LOCK_BATCH_MQ, {}, content)
    return queues.filter((queue) =>
      lockOKMQSet.some(
        ({ topic, brokerName, queueId }) =>
          topic === queue.topic && brokerName === queue.broker && queueId === queue.id,
      ),
    )
  }

  async unlock(address: string, queues: ReadQueue[]): Promise<void> {
    await this.#client.ask(address, CODE.UNLOCK_BATCH_MQ, {}, { body: this.#lockBody(queues) })
  }

  #lockBody(queues: ReadQueue[]) {
    const mqSet = queues.map(({ topic, broker, id }) => ({ topic, brokerName: broker, queueId: id }))
    return { consumerGroup: this.#client.group, clientId: this.clientId, mqSet }
  }
}

function fromWhere(from: InitialPosition): string {
  switch (from.at) {
    case 'earliest':
      return 'CONSUME_FROM_FIRST_OFFSET'
    case 'latest':
      return 'CONSUME_FROM_LAST_OFFSET'
    case 'time':
      return 'CONSUME_FROM_TIMESTAMP'
    default:
      return from satisfies never
  }
}
