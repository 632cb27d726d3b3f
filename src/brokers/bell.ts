/** Wakes whoever waits; a ring that nobody waits for yet wakes the next one who does. */
export class Bell {
  #rung = false
  #waiters: (() => void)[] = []

  ring(): void {
    this.#rung = this.#waiters.length === 0
    for (const wake of this.#waiters.splice(0)) wake()
  }

  /** Resolves at the next ring, at the latest after `limitMs`. */
  async wait(limitMs: number): Promise<void> {
    if (this.#rung) {
      this.#rung = false
      return
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(wake, limitMs)
      const waiters = this.#waiters
      waiters.push(wake)
      function wake() {
        clearTimeout(timer)
        const index = waiters.indexOf(wake)
        if (index >= 0) waiters.splice(index, 1)
        resolve()
      }
    })
  }
}
