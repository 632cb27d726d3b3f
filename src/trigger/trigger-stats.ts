import { bucketOf, emptyHistogram } from '../sla/histogram.js'
import type { TriggerAction } from './trigger.js'
import type { TriggerResult } from './trigger-outcome.js'

/** What became of the messages of one trigger. */
export interface TriggerLine {
  trigger: string
  action: TriggerAction['kind']
  ended: Record<TriggerResult, number>
  /** Of all that ended but those handled earlier. */
  durationSumMs: number
  histogram: number[]
}

/** What the triggers of this worker have done since its start, for those who watch it from outside. */
export class TriggerStats {
  readonly #lines = new Map<string, TriggerLine>()

  /** @param trigger its name */
  ended(trigger: string, action: TriggerAction['kind'], result: TriggerResult, durationMs: number): void {
    const line = this.#line(trigger, action)
    line.ended[result] += 1
    if (result === 'held' || result === 'repeated') return
    line.durationSumMs += durationMs
    const bucket = bucketOf(durationMs)
    line.histogram[bucket] = (line.histogram[bucket] ?? 0) + 1
  }

  lines(): TriggerLine[] {
    return [...this.#lines.values()]
  }

  #line(trigger: string, action: TriggerAction['kind']): TriggerLine {
    const key = `${action} ${trigger}`
    const known = this.#lines.get(key)
    if (known) return known
    const ended = { ...NONE }
    const made = { trigger, action, ended, durationSumMs: 0, histogram: emptyHistogram() }
    this.#lines.set(key, made)
    return made
  }
}

const NONE: Record<TriggerResult, number> = {
  started: 0,
  correlated: 0,
  forwarded: 0,
  repeated: 0,
  'passed-over': 0,
  skipped: 0,
  'dead-letter': 0,
  failed: 0,
  held: 0,
}
