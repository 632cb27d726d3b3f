/** A number of a test that may be set otherwise by an environment variable, for a longer run by hand. */
export function settable(variable: string, usual: number): number {
  const text = process.env[variable] ?? ''
  if (text === '') return usual
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 1) return number
  throw new Error(`${variable} is ${JSON.stringify(text)}: use a whole number, 1 at least`)
}
