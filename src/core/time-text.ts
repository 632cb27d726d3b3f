const DURATION = /^P(?!$)(?:(\d+)W)?(?:(\d+)D)?(?:T(?!$)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/

/** Milliseconds of an ISO-8601 duration of weeks and smaller units, such as PT30S; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text.trim())
  if (!parts) return undefined
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0))
  return Math.round((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000)
}

const TIME =
  /^(\d{4}-\d\d-\d\d)(?:(?:T|\s+)(\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?$/i

/**
 * Milliseconds since 1970 of a time as ISO 8601, or with a space in the place of its T, such as
 * `2020-02-01 04:15:00.00 Z`. A date alone is its midnight, UTC; a time must name its zone. Undefined when it is none.
 */
export function parseTime(text: string): number | undefined {
  const parts = TIME.exec(text.trim())
  if (!parts) return undefined
  const [, day = '', minute = '00:00', second = '00', fraction = '', zone = 'Z'] = parts
  const [, sign, hours = '', minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  const clock = `${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}`
  const time = Date.parse(`${day}T${clock}${sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`}`)
  if (Number.isNaN(time) || time < 0) return undefined
  // Days that a month does not have would else run over into the next.
  return new Date(`${day}T00:00Z`).toISOString().startsWith(day) ? time : undefined
}
