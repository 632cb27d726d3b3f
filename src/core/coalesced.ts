/** Work done one run at a time. Calls made while one runs share the next: it alone is sure to see what they are about. */
export class Coalesced {
  readonly #work: () => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** The run asked for last, while it has not ended. */
  get pending(): Promise<void> | undefined {
    return this.#next ?? this.#running
  }

  /** Resolves, or rejects, as a run does that begins now or once the present one has ended. */
  run(): Promise<void> {
    if (this.#next) return this.#next
    if (!this.#running) return this.#start()
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.#start()
      })
    return this.#next
  }

  #start(): Promise<void> {
    this.#running = this.#work().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }
}
