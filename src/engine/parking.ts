import type { Job, Settlement } from './engine.js'

export type Failure = Extract<Settlement, { kind: 'fail' }>

/** Left of a job's time when the engine is told of it: enough to tell it more than once. */
const MARGIN_MS = 5000

/**
 * Failed jobs that spend their back-off here, still in this worker's name, instead of in the engine; the engine is told
 * of the failure when the back-off is over. docs/adr/0014-back-offs-in-the-worker.md says why.
 */
export class Parking {
  readonly #tell: (job: Job, failure: Failure) => Promise<unknown>
  readonly #parked = new Map<NodeJS.Timeout, () => Promise<unknown>>()

  /** @param tell tells the engine of a failure; never rejects. */
  constructor(tell: (job: Job, failure: Failure) => Promise<unknown>) {
    this.#tell = tell
  }

  /** @returns false, with nothing done, where the job's time does not suffice for its back-off */
  take(job: Job, failure: Failure): boolean {
    const over = performance.now() + failure.backOffMs
    if (over > job.deadline - MARGIN_MS) return false
    const timer = setTimeout(() => {
      this.#parked.delete(timer)
      void this.#tell(job, { ...failure, backOffMs: 0 })
    }, failure.backOffMs)
    this.#parked.set(timer, () => {
      const backOffMs = Math.max(0, Math.round(over - performance.now()))
      return this.#tell(job, { ...failure, backOffMs })
    })
    return true
  }

  /** Tells the engine of all of them, with what is left of their back-offs. */
  async clear(): Promise<void> {
    const rest = [...this.#parked]
    this.#parked.clear()
    for (const [timer] of rest) clearTimeout(timer)
    await Promise.all(rest.map(([, tellNow]) => tellNow()))
  }
}

/** https://github.com/camunda/camunda/issues/29735, and the first release of each line in which it is cured. */
const CURED_PATCH: Record<string, number> = { '8.5': 25, '8.6': 13 }

/** Whether an engine of this version hands out every job again whose back-off is over. */
export function isWithoutBackOffFault(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number)
  const cured = CURED_PATCH[`${major}.${minor}`]
  if (cured !== undefined) return patch >= cured
  return major > 8 || (major === 8 && minor >= 7)
}
