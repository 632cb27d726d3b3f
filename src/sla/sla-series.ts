import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import { countedTotals } from './counted-rows.js'
import { type Measures, measuresOf, NO_MEASURES, SUMS, Sums } from './measures.js'
import type { SlaFilter } from './sla-queries.js'
import { STEP_MS, STEPS, type Step } from './steps.js'
import { finestAt, type KeptResolutions, RESOLUTION_MS, type Resolution } from './time-pieces.js'

/** As many points make a chart. A step that would make more than the limit is refused. */
const POINTS_WANTED = 100
const MOST_POINTS = 5000

export interface SlaSeries {
  step: Step
  /** One for each step from the first to the last, those without calls too. */
  points: SlaPoint[]
}

export interface SlaPoint extends Measures {
  /** Start of the step, UTC, as ISO 8601. */
  at: string
}

const Row = Type.Object({ at: Type.String(), ...Sums })
const RowParser = Compile(Row)

/**
 * How the calls of a filter went on over time, as one line of a chart. Begins with the step that holds `since`.
 * @param step default: the finest that makes a chart of at most 100 points
 * @throws RelayError INPUT_INVALID for a step that is finer than what is kept of that time, or makes too many points
 */
export async function slaSeries(
  database: Pick<Database, 'query'>,
  kept: KeptResolutions,
  { since, until = new Date(), ...filter }: SlaFilter,
  step: Step = stepFor(since, until, kept),
): Promise<SlaSeries> {
  assertKept(step, since, kept)
  const stepMs = STEP_MS[step]
  const first = Math.floor(since.getTime() / stepMs) * stepMs
  const end = Math.ceil(until.getTime() / stepMs) * stepMs
  const count = (end - first) / stepMs
  if (count > MOST_POINTS) {
    throw new RelayError(
      'INPUT_INVALID',
      `step ${step} would make ${count} points: choose ${stepFor(since, until, kept)}, or a shorter time`,
    )
  }
  const counted = countedTotals([{ resolution: resolutionOf(step), since: first, until: end }], filter)
  const width = `$${counted.values.length + 1}::double precision * interval '1 ms'`
  const rows = await database.query(
    `SELECT to_char(date_bin(${width}, at, timestamptz '1970-01-01 00:00:00Z') AT TIME ZONE 'UTC',
       'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, ${SUMS}
     FROM (${counted.text}) AS counted GROUP BY 1`,
    [...counted.values, stepMs],
  )
  return {
    step,
    points: filled(
      first,
      count,
      stepMs,
      rows.map((row) => RowParser.Parse(row)),
    ),
  }
}

function filled(first: number, count: number, stepMs: number, rows: Static<typeof Row>[]): SlaPoint[] {
  const known = new Map(rows.map(({ at, ...sums }) => [at, measuresOf(sums)]))
  return Array.from({ length: Math.max(0, count) }, (_, index) => {
    const at = new Date(first + index * stepMs).toISOString()
    return { at, ...(known.get(at) ?? NO_MEASURES) }
  })
}

function stepFor(since: Date, until: Date, kept: KeptResolutions): Step {
  const spanMs = until.getTime() - since.getTime()
  const finest = RESOLUTION_MS[finestAt(since.getTime(), kept)]
  const fitting = STEPS.find((step) => STEP_MS[step] >= finest && spanMs / STEP_MS[step] <= POINTS_WANTED)
  return fitting ?? '1d'
}

function resolutionOf(step: Step): Resolution {
  const stepMs = STEP_MS[step]
  if (stepMs >= RESOLUTION_MS.day) return 'day'
  return stepMs >= RESOLUTION_MS.hour ? 'hour' : 'minute'
}

function assertKept(step: Step, since: Date, kept: KeptResolutions): void {
  const finest = finestAt(since.getTime(), kept)
  if (RESOLUTION_MS[resolutionOf(step)] >= RESOLUTION_MS[finest]) return
  throw new RelayError(
    'INPUT_INVALID',
    `step ${step}: of ${since.toISOString()} only ${finest}s are kept; choose ${finest === 'day' ? '1d' : '1h'} or a later time`,
  )
}
