import type {
  Engine,
  Job,
  JobWorker,
  SettleAnswer,
  Settlement,
  WorkOptions,
} from '../../src/engine/engine.js'
import { inSlots } from './slots.js'

/**
 * An engine that has every job in memory and accepts every settlement at once: what remains is the worker's own road.
 * A slot that becomes free gets the next job without a poll.
 */
export class MemoryEngine implements Engine {
  readonly name: string
  #work: { options: WorkOptions; handle: (job: Job) => Promise<void> } | undefined
  #completed = 0
  #refusal: Settlement | undefined

  constructor(name: string) {
    this.name = name
  }

  work(options: WorkOptions, handle: (job: Job) => Promise<void>): JobWorker {
    this.#work = { options, handle }
    return { inFlight: 0, lastPollAgeMs: () => 0, stop: async () => 0 }
  }

  async settle(_job: Job, settlement: Settlement): Promise<SettleAnswer> {
    if (settlement.kind === 'complete') this.#completed += 1
    else this.#refusal = settlement
    return 'accepted'
  }

  start(): Promise<never> {
    return Promise.reject(new Error('this engine has no processes'))
  }

  correlate(): Promise<never> {
    return this.start()
  }

  async check(): Promise<void> {}
  async close(): Promise<void> {}

  /** Hands out jobs, `inFlight` at a time, and resolves with their durations once all are completed. */
  async run(
    inFlight: number,
    limit: { steps: number; ms?: number | undefined },
    jobOf: (deadline: number) => Job,
  ): Promise<number[]> {
    if (!this.#work) throw new Error('the service has not started to work')
    const { options, handle } = this.#work
    if (inFlight > options.maxInFlight)
      throw new Error(`${inFlight} jobs in flight, but the service takes ${options.maxInFlight}`)
    const completedBefore = this.#completed
    const durationsMs = await inSlots(inFlight, limit, () =>
      handle(jobOf(performance.now() + options.jobTimeoutMs)),
    )
    if (this.#completed - completedBefore !== durationsMs.length) {
      throw new Error(`not every job was completed, e.g. ${JSON.stringify(this.#refusal)}`)
    }
    return durationsMs
  }
}
