import { setTimeout as delay } from 'node:timers/promises'

/**
 * The result of `work`, or the error made by `onTimeout` once `limitMs` have passed. The work itself goes on:
 * the libraries below take no abort signal. Its late failure is swallowed here, as nobody waits for it any more.
 */
export function withTimeLimit<T>(work: Promise<T>, limitMs: number, onTimeout: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onTimeout()), limitMs)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Whether the work has ended, well or not, before `limitMs` have passed; it goes on otherwise. Never rejects. */
export function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs)
    const ended = () => {
      clearTimeout(timer)
      resolve(true)
    }
    work.then(ended, ended)
  })
}

/** Waits `ms`, not at all if that is 0 or less, or until the signal aborts; never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0) return
  await delay(ms, undefined, { signal, ref: true }).catch(() => undefined)
}
