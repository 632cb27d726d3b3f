import type { Measured } from './metrics.js'
import { OPERATORS, type PolicySettings } from './policy.js'

/** How long a condition has held, and whether people know. */
export interface OpenState {
  state: 'pending' | 'firing'
  /** When it began to hold. */
  since: Date
}

/** What becomes of one policy and subject now. */
export type Step =
  | { kind: 'stay' }
  /** The condition begins to hold. */
  | { kind: 'begin' }
  /** It no longer holds, before anyone was told. */
  | { kind: 'drop' }
  /** It has held for its duration. */
  | { kind: 'fire'; since: Date; value: number }
  /** Null: there is nothing to measure any more. */
  | { kind: 'resolve'; value: number | null }

type Condition = Pick<PolicySettings, 'operator' | 'threshold' | 'recoveryThreshold' | 'forSeconds'>

/** The next step of an alert, from what is kept of it and what is measured. */
export function nextStep(
  policy: Condition,
  open: OpenState | undefined,
  measured: Measured,
  now: Date,
): Step {
  if (measured === 'unknown') return { kind: 'stay' }
  if (!holds(policy, open, measured)) {
    if (!open) return { kind: 'stay' }
    if (open.state === 'pending') return { kind: 'drop' }
    return { kind: 'resolve', value: measured === 'none' ? null : measured }
  }
  if (measured === 'none' || open?.state === 'firing') return { kind: 'stay' }
  const since = open?.since ?? now
  if (now.getTime() - since.getTime() >= policy.forSeconds * 1000)
    return { kind: 'fire', since, value: measured }
  return open ? { kind: 'stay' } : { kind: 'begin' }
}

function holds(
  { operator, threshold, recoveryThreshold }: Condition,
  open: OpenState | undefined,
  measured: number | 'none',
): boolean {
  if (measured === 'none') return false
  const limit = open?.state === 'firing' ? (recoveryThreshold ?? threshold) : threshold
  return OPERATORS[operator].holds(measured, limit)
}
