/** What a refusal leaves of the calls that are out. */
const SHRINK = 0.8
/** Refusals of one moment count once, milliseconds. */
const MOMENT_MS = 200

/**
 * As many calls at a time as the other side takes: any number until it refuses one, which lowers it by a fifth; each answer
 * raises it again by a little. The rest waits its turn, which costs nobody anything: a refused call costs both sides as
 * much as one that is carried out.
 */
export class Pace {
  readonly #isRefusal: (error: unknown) => boolean
  #limit = Number.POSITIVE_INFINITY
  #running = 0
  #shrunkAt = Number.NEGATIVE_INFINITY
  readonly #waiting: (() => void)[] = []

  constructor(isRefusal: (error: unknown) => boolean) {
    this.#isRefusal = isRefusal
  }

  /** @throws what `call` throws, refusals included */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limit) this.#running += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      const answer = await call()
      this.#limit += 1 / this.#limit
      return answer
    } catch (error) {
      if (this.#isRefusal(error)) this.#shrink()
      throw error
    } finally {
      this.#running -= 1
      this.#admit()
    }
  }

  #shrink(): void {
    const now = performance.now()
    if (now - this.#shrunkAt < MOMENT_MS) return
    this.#shrunkAt = now
    this.#limit = Math.max(1, SHRINK * this.#running)
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#running < this.#limit) {
      this.#running += 1
      this.#waiting.shift()?.()
    }
  }
}
