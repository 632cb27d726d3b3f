import { RelayError } from '../../core/errors.js'
import { pause } from '../../core/time-limit.js'
import type { Nodes } from './nodes.js'
import type { Numbering } from './record-batch.js'

/** Between two attempts while the cluster cannot give ids out yet. */
const RETRY_MS = 100
const LAST_EPOCH = 2 ** 15 - 1
const SEQUENCES = 2 ** 31

/** The producer id of a connection: what its batches are numbered under. */
export class Identity {
  readonly #nodes: Nodes
  readonly #limitMs: number
  #current: Promise<bigint> | undefined

  /** @param limitMs how long a cluster that is starting is asked again */
  constructor(nodes: Nodes, limitMs: number) {
    this.#nodes = nodes
    this.#limitMs = limitMs
  }

  /** All who wait share one question. @throws RelayError */
  get(): Promise<bigint> {
    this.#current ??= this.#ask().catch((error: unknown) => {
      this.#current = undefined
      throw error
    })
    return this.#current
  }

  /** Gives up an id that cannot be used on, unless another has taken its place already. */
  discard(id: bigint): void {
    const current = this.#current
    void current?.then((known) => {
      if (known === id && this.#current === current) this.#current = undefined
    })
  }

  async #ask(): Promise<bigint> {
    const giveUpAt = performance.now() + this.#limitMs
    for (;;) {
      try {
        const link = await this.#nodes.any()
        return await link.producerId()
      } catch (error) {
        const mayPass = error instanceof RelayError && error.code === 'BROKER_UNAVAILABLE'
        if (!mayPass || performance.now() > giveUpAt) throw error
        await pause(RETRY_MS)
      }
    }
  }
}

/** The numbering of the batch after one of `count` messages. */
export function after(numbering: Numbering, count: number): Numbering {
  return { ...numbering, sequence: (numbering.sequence + count) % SEQUENCES }
}

/**
 * A numbering under which the broker refuses whatever is still on its way to it under the old one: of two epochs of
 * an id only the newer counts. Undefined when the id has no further epoch.
 */
export function nextEpoch({ producerId, epoch }: Numbering): Numbering | undefined {
  return epoch === LAST_EPOCH ? undefined : { producerId, epoch: epoch + 1, sequence: 0 }
}
