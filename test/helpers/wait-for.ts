import { setTimeout as delay } from 'node:timers/promises'

const LOOK_AGAIN_MS = 20

/**
 * Looks again and again until there is something to see.
 * @returns what `look` found: anything but undefined and false
 * @throws Error naming `what` after `limitMs`
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 30_000,
): Promise<T> {
  const giveUpAt = performance.now() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain for ${what}`)
    await delay(LOOK_AGAIN_MS)
  }
}
