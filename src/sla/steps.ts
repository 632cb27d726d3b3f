/** Distances of the points of a chart: each a whole part or multiple of a resolution that counters are kept in. */
export const STEPS = ['1m', '5m', '15m', '1h', '6h', '1d'] as const
export type Step = (typeof STEPS)[number]

const MINUTE_MS = 60_000
export const STEP_MS: Record<Step, number> = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
  '6h': 360 * MINUTE_MS,
  '1d': 1440 * MINUTE_MS,
}
