const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Which resolutions there still are. */
export interface KeptResolutions {
  slaMinuteRetentionDays: number
  slaHourRetentionDays: number
}

export type Resolution = 'minute' | 'hour' | 'day'

/** A stretch of time to be read from the sums of one resolution. `until` is not part of it. */
export interface Piece {
  resolution: Resolution
  since: number
  until: number
}

export const RESOLUTION_MS: Record<Resolution, number> = {
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: DAY_MS,
}

/** The finest resolution that still reaches back to a moment. */
export function finestAt(moment: number, kept: KeptResolutions, now = Date.now()): Resolution {
  const ageMs = now - moment
  if (ageMs <= kept.slaMinuteRetentionDays * DAY_MS) return 'minute'
  return ageMs <= kept.slaHourRetentionDays * DAY_MS ? 'hour' : 'day'
}

/**
 * A time cut into as few stretches as will do: whole days in the middle, then hours, minutes at its edges. The edges
 * are widened to whole minutes, or to the finest resolution kept of that time.
 */
export function piecesOf(since: Date, until: Date, kept: KeptResolutions, now = Date.now()): Piece[] {
  const start = floor(since.getTime(), finestAt(since.getTime(), kept, now))
  const end = ceil(until.getTime(), finestAt(until.getTime(), kept, now))
  return split(start, end, ['day', 'hour', 'minute'])
}

function split(since: number, until: number, resolutions: Resolution[]): Piece[] {
  const [resolution, ...finer] = resolutions
  if (resolution === undefined || since >= until) return []
  const [first, last] = [ceil(since, resolution), floor(until, resolution)]
  if (first >= last) return split(since, until, finer)
  return [
    ...split(since, first, finer),
    { resolution, since: first, until: last },
    ...split(last, until, finer),
  ]
}

function floor(time: number, resolution: Resolution): number {
  return Math.floor(time / RESOLUTION_MS[resolution]) * RESOLUTION_MS[resolution]
}

function ceil(time: number, resolution: Resolution): number {
  return Math.ceil(time / RESOLUTION_MS[resolution]) * RESOLUTION_MS[resolution]
}
