/**
 * Repeats `step`, `slots` of them at a time, until the limit is reached; those begun are finished.
 * @param limit how many steps, and for how long new ones are begun
 * @returns milliseconds each step took
 */
export async function inSlots(
  slots: number,
  limit: { steps: number; ms?: number | undefined },
  step: () => Promise<unknown>,
): Promise<number[]> {
  const durationsMs: number[] = []
  const end = performance.now() + (limit.ms ?? Number.POSITIVE_INFINITY)
  let left = limit.steps
  const slot = async () => {
    for (let startedAt = performance.now(); left > 0 && startedAt < end; ) {
      left -= 1
      await step()
      const endedAt = performance.now()
      durationsMs.push(endedAt - startedAt)
      startedAt = endedAt
    }
  }
  await Promise.all(Array.from({ length: slots }, slot))
  return durationsMs
}
