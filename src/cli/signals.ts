import { constants } from 'node:os'

/**
 * The first SIGINT or SIGTERM from now on. A second one ends the program at once, with the exit code shells know a
 * signal by (130, 143).
 */
export function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(128 + constants.signals[signal])
        stopping = true
        resolve(signal)
      })
    }
  })
}
