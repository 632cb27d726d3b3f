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

export interface BatchingOptions {
  /** Batches that may run at the same time; default 1. */
  lanes?: number
  /** So many waiting items are divided among the lanes that are free; fewer wait for one. Default 1. */
  divideFrom?: number
  /** Default: none. */
  rest?: Rest
}

/**
 * For callers whose pace is set elsewhere, so that waiting for company slows nothing down: an item that comes after a rest
 * goes at once.
 */
export interface Rest {
  /** Least time from the start of a batch to the next, milliseconds. */
  ms: number
  /** So many waiting items end it early. */
  company(): number
}

/**
 * Joins calls into batches without a timer, unless told to rest: what is there goes at once, what arrives while a batch
 * runs forms the next one. With one lane their order is the order of arrival.
 *
 * @param maxItems upper bound of one batch.
 * @param run gives one result per item, in order; if it throws, every item of the batch gets that error.
 */
export function batching<T, R>(
  maxItems: number,
  run: (items: T[]) => Promise<ItemResult<R>[]>,
  { lanes = 1, divideFrom = 1, rest }: BatchingOptions = {},
): Batching<T, R> {
  let queue: Waiting<T, R>[] = []
  let running = 0
  /** Whether a lane is open that has no batch yet. */
  let opening = false
  let idleWaiters: (() => void)[] = []
  let restedAt = 0
  let endRest = () => {}

  function openLane(): void {
    opening = true
    running += 1
    void drain()
  }

  async function drain(): Promise<void> {
    // One turn of the microtask queue lets callers that became ready together share the first batch.
    await Promise.resolve()
    while (queue.length > 0) {
      if (rest) await takeRest(rest)
      const batch = nextBatch()
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
    opening = false
    running -= 1
    if (running > 0) return
    for (const wake of idleWaiters) wake()
    idleWaiters = []
  }

  async function takeRest({ ms, company }: Rest): Promise<void> {
    const leftMs = restedAt - performance.now()
    if (leftMs > 0 && queue.length < company()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        endRest = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    restedAt = performance.now() + ms
  }

  function nextBatch(): Waiting<T, R>[] {
    opening = false
    const isDivided = running < lanes && queue.length >= divideFrom
    const share = isDivided ? Math.ceil(queue.length / (lanes - running + 1)) : queue.length
    const batch = queue.slice(0, Math.min(share, maxItems))
    queue = queue.slice(batch.length)
    if (isDivided) openLane()
    return batch
  }

  return {
    add(item) {
      return new Promise<R>((resolve, reject) => {
        queue.push({ item, resolve, reject })
        if (rest && queue.length >= rest.company()) endRest()
        if (running === 0 || (running < lanes && !opening && queue.length >= divideFrom)) openLane()
      })
    },
    get waiting() {
      return queue.length
    },
    idle() {
      if (running === 0) return Promise.resolve()
      return new Promise((resolve) => idleWaiters.push(resolve))
    },
  }
}
