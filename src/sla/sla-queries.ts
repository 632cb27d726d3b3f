import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Database } from '../db/database.js'
import { type CounterFilter, countedByAdapter, countedRows } from './counted-rows.js'
import { type CounterSums, type Measures, measuresOf, SUMS, Sums } from './measures.js'
import { type KeptResolutions, type Piece, piecesOf } from './time-pieces.js'

export interface SlaFilter extends CounterFilter {
  /** From the minute that holds this moment. Older than minutes are kept: from its hour; older than hours: its day. */
  since: Date
  /** To the end of the minute, hour or day that holds this moment; default: now. */
  until?: Date | undefined
}

/** What the counters of all workers say about one adapter, operation and process. */
export interface SlaSummary extends Measures {
  adapterId: string
  /** Null when the adapter is deleted, or there never was one. */
  adapterName: string | null
  operation: string
  processId: string
}

const Row = Type.Object({
  adapterId: Type.String(),
  adapterName: Type.Union([Type.String(), Type.Null()]),
  operation: Type.String(),
  processId: Type.String(),
  ...Sums,
})

/** Summed over time and workers, by adapter name, operation and process. */
export async function slaSummaries(
  database: Pick<Database, 'query'>,
  kept: KeptResolutions,
  { since, until = new Date(), ...filter }: SlaFilter,
): Promise<SlaSummary[]> {
  const counted = countedRows(piecesOf(since, until, kept), filter)
  const rows = await database.query(
    `SELECT adapter_id AS "adapterId", name AS "adapterName", operation, process_id AS "processId", ${SUMS}
     FROM (${counted.text}) AS counted LEFT JOIN adapter ON adapter.id = adapter_id
     GROUP BY adapter_id, name, operation, process_id
     ORDER BY name NULLS LAST, adapter_id, operation, process_id`,
    counted.values,
  )
  return rows.map((row) => summaryOf(Value.Parse(Row, row)))
}

function summaryOf({
  adapterId,
  adapterName,
  operation,
  processId,
  ...sums
}: Static<typeof Row>): SlaSummary {
  return { adapterId, adapterName, operation, processId, ...measuresOf(sums) }
}

/** The counters of each adapter over some pieces of time, by its id; `NO_ADAPTER` has those of calls that named none. */
export async function sumsByAdapter(
  database: Pick<Database, 'query'>,
  pieces: readonly Piece[],
  filter: Omit<CounterFilter, 'adapter'>,
): Promise<Map<string, CounterSums>> {
  const counted = countedByAdapter(pieces, filter)
  const rows = await database.query(
    `SELECT adapter_id AS "adapterId", ${SUMS} FROM (${counted.text}) AS counted GROUP BY adapter_id`,
    counted.values,
  )
  return new Map(
    rows.map((row) => {
      const { adapterId, ...sums } = Value.Parse(AdapterSums, row)
      return [adapterId, sums]
    }),
  )
}

const AdapterSums = Type.Object({ adapterId: Type.String(), ...Sums })
