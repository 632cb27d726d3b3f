import { Type } from 'typebox'

/** What every child tells of a run. */
export const Measured = Type.Object({
  seconds: Type.Number(),
  /** User and system time of the child. */
  cpuMicros: Type.Number(),
})

/** Wall clock and CPU time of this process while `work` runs. */
export async function measured(
  work: () => Promise<unknown>,
): Promise<{ seconds: number; cpuMicros: number }> {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuMicros: user + system }
}

/** Memory in use after a full collection; needs `--expose-gc`. */
export function heapMiB(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}
