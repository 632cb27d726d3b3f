import { InvalidArgumentError } from 'commander'
import { parseDuration as parseIsoDuration, parseTime } from '../core/time-text.js'

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/**
 * A moment: a time as ISO 8601 text, or how long ago it was, such as 90s, 30m, 1h, 7d or 2w.
 * @throws InvalidArgumentError
 */
export function parseMoment(text: string): Date {
  const [, amount, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) {
    const ago = new Date(Date.now() - Number(amount) * (UNIT_MS[unit] ?? 0))
    if (!Number.isNaN(ago.getTime()) && ago.getUTCFullYear() > 0) return ago
  }
  if (/^\d{4}-\d\d-\d\d(T\S+)?$/.test(text)) {
    const date = new Date(text)
    if (!Number.isNaN(date.getTime())) return date
  }
  const time = parseTime(text)
  if (time !== undefined) return new Date(time)
  throw new InvalidArgumentError(
    'Give a duration back from now, such as 30m, 1h or 7d, or a time such as 2026-01-31T08:00:00Z.',
  )
}

/** Milliseconds, of their number or a duration such as 90s, 30m or PT1H. @throws InvalidArgumentError */
export function parseMilliseconds(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,12})(|[smhdw])$/.exec(text) ?? []
  const ms = amount === undefined ? parseIsoDuration(text) : Number(amount) * (UNIT_MS[unit] ?? 1)
  if (ms !== undefined) return ms
  throw new InvalidArgumentError('Give milliseconds, or a duration such as 90s, 30m, 2h or PT1H.')
}

/** Seconds, of a duration such as 90s, 30m or 2h. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) return (Number(amount) * (UNIT_MS[unit] ?? 0)) / 1000
  throw new InvalidArgumentError('Give a duration such as 90s, 30m or 2h.')
}

/** Milliseconds since 1970, from such a number or an ISO 8601 time. @throws InvalidArgumentError */
export function parseTimestamp(text: string): number {
  const time = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(/^\d{4}-\d\d-\d\d/.test(text) ? text : '')
  if (!Number.isNaN(time) && time >= 0) return time
  throw new InvalidArgumentError('Give milliseconds since 1970 or a time such as 2026-01-31T08:00:00Z.')
}

/** Collects `name=value` texts of an option that may be given many times. @throws InvalidArgumentError */
export function collectPairs(text: string, earlier: [string, string][] = []): [string, string][] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Write it as name=value.')
  return [...earlier, [text.slice(0, equals), text.slice(equals + 1)]]
}

/** @throws InvalidArgumentError */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`)
  }
}

/** A 64-bit key of the engine. @throws InvalidArgumentError */
export function parseKey(text: string): string {
  if (/^\d{1,19}$/.test(text) && BigInt(text) < 2n ** 63n) return text
  throw new InvalidArgumentError('Give a key of digits, such as 2251799813685249.')
}

/** The version of a process; null: the newest. @throws InvalidArgumentError */
export function parseVersion(text: string): number | null {
  return text === 'newest' ? null : wholeNumber(1, 2 ** 31 - 1)(text)
}
