import { constants } from 'node:os'

/** Thrown when a command was stopped before it was done. */
export class Interrupted extends Error {
  /** As shells know it: 130 for SIGINT, 143 for SIGTERM. */
  readonly exitCode: number

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.exitCode = exitCodeOf(signal)
  }
}

/** The first SIGINT or SIGTERM from now on. A second one ends the program at once. */
export function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(exitCodeOf(signal))
        stopping = true
        resolve(signal)
      })
    }
  })
}

/** The result of `work`, unless the signal comes first. @throws Interrupted */
export async function unlessStopped<T>(work: Promise<T>, stopSignal: Promise<NodeJS.Signals>): Promise<T> {
  const stopped = stopSignal.then((signal): never => {
    throw new Interrupted(signal)
  })
  return await Promise.race([work, stopped])
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
