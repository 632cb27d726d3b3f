const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/

/** Milliseconds of an ISO-8601 duration of days and smaller units, such as PT30S; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text.trim())
  if (!parts || parts.slice(1).every((part) => part === undefined)) return undefined
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0))
  return Math.round(
    (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000 + (seconds ?? 0) * 1000,
  )
}
