import type { Static } from 'typebox'
import { quantile } from '../benchmark.js'
import type { Sent } from '../loads.js'
import { measured } from '../measure.js'

/**
 * What a child tells of a run.
 * @param perStep messages a step stands for
 * @param run resolves with the milliseconds each of its steps took
 */
export async function sent(
  perStep: number,
  requests: () => number,
  run: () => Promise<number[]>,
): Promise<Static<typeof Sent>> {
  const requestsBefore = requests()
  let durationsMs: number[] = []
  const wholeRun = await measured(async () => {
    durationsMs = await run()
  })
  return {
    ...wholeRun,
    messages: durationsMs.length * perStep,
    p50Ms: quantile(durationsMs, 0.5),
    p99Ms: quantile(durationsMs, 0.99),
    requests: requests() - requestsBefore,
  }
}

/** Gives one of the names to each number, in turns. */
export function turnsOf(names: readonly string[]): (number: number) => string {
  if (names.length === 0) throw new Error('no names to take turns over')
  return (number) => names[number % names.length] ?? ''
}
