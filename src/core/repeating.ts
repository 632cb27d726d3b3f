export interface Repeating {
  /** Begins no further run; resolves once the one under way has ended. */
  stop(): Promise<void>
}

/** Does some work again and again in the background, never two runs at a time. A run that fails is told and tried again. */
export function repeating(
  everyMs: number,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): Repeating {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= work()
      .catch(onError)
      .finally(() => {
        running = undefined
      })
  }, everyMs)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}
