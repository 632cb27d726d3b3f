const SHORTEST_MS = 5000
const LONGEST_MS = 600_000
const JOBS_PER_SECOND = 10
const JITTER = 0.2

/**
 * How long held jobs stay away. Each hold costs the engine an activation, and re-activated jobs come before new ones,
 * so all holds of a worker together must cost no more than some ten jobs a second: the more jobs are held, the longer
 * each of them waits.
 */
export class Holds {
  #held = 0
  readonly #random: () => number

  /** @param random a number from 0 to 1, for the jitter. */
  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** Jobs on hold now. */
  get held(): number {
    return this.#held
  }

  /** The back-off of one more held job, milliseconds. */
  next(): number {
    this.#held += 1
    const base = Math.max(SHORTEST_MS, (this.#held / JOBS_PER_SECOND) * 1000)
    const backOffMs = Math.min(LONGEST_MS, Math.round(base * (1 + JITTER * this.#random())))
    setTimeout(() => {
      this.#held -= 1
    }, backOffMs).unref()
    return backOffMs
  }
}
