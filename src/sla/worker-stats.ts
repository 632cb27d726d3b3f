import type { SettleAnswer, Settlement } from '../engine/engine.js'
import { bucketOf, emptyHistogram } from './histogram.js'

/** How a call ended; `repeated`: by an earlier delivery of the same job, nothing was sent now. */
export type CallAction = 'completed' | 'repeated' | 'rejected' | 'failed' | 'held'

/** What became of the calls of one adapter and operation. */
export interface CallStats {
  adapter: string
  operation: string
  /** Calls by how they ended. */
  ended: Record<CallAction, number>
  /** Of those that ended in a call: neither repeated nor held. */
  durationSumMs: number
  histogram: number[]
}

export type SettlementKind = Settlement['kind']

/** Names beyond these share one line: a scrape must stay small whatever jobs ask for. */
const MOST_LINES = 500
const OTHER = '(other)'
/** Calls that named no adapter there is. */
const NO_ADAPTER = '(none)'
const BATCH_BUCKETS = 10

/**
 * What this worker has done since its start, for those who watch it from outside. On the road of a job each of its
 * methods is an addition or two; everything else waits for who asks.
 */
export class WorkerStats {
  readonly #calls = new Map<string, Map<string, CallStats>>()
  #lines = 0
  readonly #jobs = new Map<string, { activated: number; handled: number }>()
  readonly #settled = new Map<SettlementKind, Record<SettleAnswer, number>>()
  /** Batches by size: bucket i holds those of up to 2^i. */
  readonly recordBatches = { buckets: new Array<number>(BATCH_BUCKETS).fill(0), batches: 0, items: 0 }

  activated(taskType: string): void {
    this.#ofType(taskType).activated += 1
  }

  handled(taskType: string): void {
    this.#ofType(taskType).handled += 1
  }

  /** @param adapter name of the adapter; undefined: there is none. */
  ended(adapter: string | undefined, operation: string, action: CallAction, durationMs: number): void {
    const stats = this.#line(adapter ?? NO_ADAPTER, operation)
    stats.ended[action] += 1
    if (action === 'held' || action === 'repeated') return
    stats.durationSumMs += durationMs
    const bucket = bucketOf(durationMs)
    stats.histogram[bucket] = (stats.histogram[bucket] ?? 0) + 1
  }

  settled(kind: SettlementKind, answer: SettleAnswer): void {
    const answers = this.#settled.get(kind) ?? { accepted: 0, gone: 0, unanswered: 0 }
    this.#settled.set(kind, answers)
    answers[answer] += 1
  }

  recordBatch(items: number): void {
    const { recordBatches: sizes } = this
    const bucket = Math.min(BATCH_BUCKETS - 1, Math.ceil(Math.log2(items)))
    sizes.buckets[bucket] = (sizes.buckets[bucket] ?? 0) + 1
    sizes.batches += 1
    sizes.items += items
  }

  calls(): CallStats[] {
    return [...this.#calls.values()].flatMap((operations) => [...operations.values()])
  }

  jobs(): ReadonlyMap<string, { activated: number; handled: number }> {
    return this.#jobs
  }

  settlements(): ReadonlyMap<SettlementKind, Record<SettleAnswer, number>> {
    return this.#settled
  }

  #ofType(taskType: string): { activated: number; handled: number } {
    const counts = this.#jobs.get(taskType) ?? { activated: 0, handled: 0 }
    this.#jobs.set(taskType, counts)
    return counts
  }

  #line(adapter: string, operation: string): CallStats {
    const known = this.#calls.get(adapter)?.get(operation)
    if (known) return known
    if (this.#lines >= MOST_LINES && adapter !== OTHER) return this.#line(OTHER, operation)
    const made: CallStats = {
      adapter,
      operation,
      ended: { completed: 0, repeated: 0, rejected: 0, failed: 0, held: 0 },
      durationSumMs: 0,
      histogram: emptyHistogram(),
    }
    const operations = this.#calls.get(adapter) ?? new Map<string, CallStats>()
    this.#calls.set(adapter, operations.set(operation, made))
    this.#lines += 1
    return made
  }
}
