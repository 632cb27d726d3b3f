import type { StartPosition } from '../../operator.js'
import type { PulledQueue } from './pulled-queue.js'
import type { QueueRequests, ReadQueue } from './queue-requests.js'

export interface GroupOffsetsOptions {
  requests: QueueRequests
  /** False when broadcasting: every member has all messages, and none writes down where it is. */
  isShared: boolean
  /** Where to begin in a queue in which the group has no offset. */
  fromOf(queue: ReadQueue): StartPosition
  addressOf(queue: ReadQueue): string
}

/** Where a group is in its queues, as their brokers have it. */
export class GroupOffsets {
  readonly #options: GroupOffsetsOptions

  constructor(options: GroupOffsetsOptions) {
    this.#options = options
  }

  /**
   * Where to begin. A place that was chosen for want of an offset is committed before anything is handed over: were
   * this member to die with the first messages, the next one might choose a later place and pass them by.
   */
  async startOf(queue: ReadQueue): Promise<bigint> {
    const { requests, isShared, fromOf, addressOf } = this.#options
    if (!isShared) return this.offsetFor(fromOf(queue), queue)
    const address = addressOf(queue)
    const committed = await requests.committed(address, queue)
    if (committed !== undefined) return committed
    const offset = await this.offsetFor(fromOf(queue), queue)
    await requests.commit(address, queue, offset)
    return offset
  }

  async offsetFor(position: StartPosition, queue: ReadQueue): Promise<bigint> {
    const { requests, addressOf } = this.#options
    const address = addressOf(queue)
    switch (position.at) {
      case 'earliest':
        return requests.firstOffset(address, queue)
      case 'latest':
        return requests.endOffset(address, queue)
      case 'time':
        return requests.offsetAt(address, queue, position.time)
      case 'offset':
        return BigInt(position.offset)
      default:
        return position satisfies never
    }
  }

  /** Of the next message to be written. */
  async endOf(queue: ReadQueue): Promise<bigint> {
    const { requests, addressOf } = this.#options
    return requests.endOffset(addressOf(queue), queue)
  }

  /** Writes down the position of the queue, unless it is there already. */
  async commit(pulled: PulledQueue): Promise<void> {
    const { requests, isShared, addressOf } = this.#options
    const { position, queue } = pulled
    if (!isShared || pulled.committed === position) return
    await requests.commit(addressOf(queue), queue, position)
    pulled.committed = position
  }
}
