// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g
const LONGEST = 300
/** A shorter text is found in innocent words too often. */
const SHORTEST_SECRET = 6

/**
 * What a far side said, fit to be shown: on one line, not long, and without the secrets it may have repeated, whole or
 * percent-encoded.
 */
export function saidBy(text: string, secrets: readonly string[]): string {
  const known = secrets
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length)
  let shown = text
  for (const secret of known) shown = shown.replaceAll(secret, '***')
  shown = shown.replace(CONTROL, ' ').trim()
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown
}
