/** Work that is done for many callers at once. */
export interface Batching<T, R> {
  /** Resolves or rejects with what `run` made of this item. */
  add(item: T): Promise<R>
  /** Items that wait for the next batch. */
  readonly waiting: number
  /** Resolves once nothing waits and nothing runs. */
  idle(): Promise<void>
}

interface Waiting<T, R> {
  item: T
  resolve: (result: R) => void
  reject: (error: unknown) => void
}

/** What became of one item of a batch. */
export type ItemResult<R> = { ok: true; value: R } | { ok: false; error: unknown }

/**
 * Joins calls into batches without a timer: what is there goes at once, what arrives while a batch runs forms the
 * next one. At most one batch runs at a time, so their order is the order of arrival.
 *
 * @param maxItems upper bound of one batch.
 * @param run gives one result per item, in order; if it throws, every item of the batch gets that error.
 */
export function batching<T, R>(
  maxItems: number,
  run: (items: T[]) => Promise<ItemResult<R>[]>,
): Batching<T, R> {
  let queue: Waiting<T, R>[] = []
  let running = false
  let idleWaiters: (() => void)[] = []

  async function drain(): Promise<void> {
    // One turn of the microtask queue lets callers that became ready together share the first batch.
    await Promise.resolve()
    while (queue.length > 0) {
      const batch = queue.slice(0, maxItems)
      queue = queue.slice(maxItems)
      try {
        const results = await run(batch.map(({ item }) => item))
        batch.forEach(({ resolve, reject }, index) => {
          const result = results[index]
          if (result === undefined) reject(new Error('the batch gave no result for this item'))
          else if (result.ok) resolve(result.value)
          else reject(result.error)
        })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    running = false
    for (const wake of idleWaiters) wake()
    idleWaiters = []
  }

  return {
    add(item) {
      return new Promise<R>((resolve, reject) => {
        queue.push({ item, resolve, reject })
        if (!running) {
          running = true
          void drain()
        }
      })
    },
    get waiting() {
      return queue.length
    },
    idle() {
      if (!running) return Promise.resolve()
      return new Promise((resolve) => idleWaiters.push(resolve))
    },
  }
}
