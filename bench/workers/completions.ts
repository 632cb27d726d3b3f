import { sharedClockMs } from './clock.js'

/** Counts what the engine has accepted, and tells when all that is expected has come. */
export class Completions {
  #expected = 0
  #times: [string, number][] = []
  #done: (times: [string, number][]) => void = () => {}

  /** Resolves to the process instance key and the time of each, once `count` more are there. */
  next(count: number): Promise<[string, number][]> {
    this.#expected = count
    this.#times = []
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  add(processInstanceKey: string): void {
    this.#times.push([processInstanceKey, sharedClockMs()])
    if (this.#times.length === this.#expected) this.#done(this.#times)
  }
}
