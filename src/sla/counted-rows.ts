import { validate as isUuid } from 'uuid'
import { ALL_ADAPTERS } from './counters.js'
import type { Piece } from './time-pieces.js'

/** Which calls are meant. */
export interface CounterFilter {
  /** Id or name of an adapter. */
  adapter?: string | undefined
  operation?: string | undefined
  processId?: string | undefined
}

/** A part of a statement and the values of its parameters. */
export interface CountedRows {
  text: string
  values: unknown[]
}

const MEASURES = 'calls, errors, held, duration_sum_ms, duration_max_ms, histogram'
const KEY = 'adapter_id, operation, process_id'

/**
 * A query for the counters of some stretches of time, by adapter, operation and process: their sums, and what has not
 * been rolled up yet. One statement sees each counter in exactly one of the two.
 */
export function countedRows(pieces: readonly Piece[], filter: CounterFilter): CountedRows {
  const values: unknown[] = []
  const conditions = conditionsOf(filter, values)
  return unionOf(pieces, values, {
    columns: `${KEY}, ${MEASURES}`,
    suffix: '',
    ofSums: conditions,
    ofCounters: conditions,
  })
}

/** The same without adapter, operation and process: what needs not be told apart is read as one. */
export function countedTotals(pieces: readonly Piece[], filter: CounterFilter): CountedRows {
  const values: unknown[] = []
  const conditions = conditionsOf(filter, values)
  const isOfProcess = filter.processId !== undefined
  const ofAll = filter.adapter === undefined && !isOfProcess ? [`adapter_id = '${ALL_ADAPTERS}'`] : []
  return unionOf(pieces, values, {
    columns: MEASURES,
    suffix: isOfProcess ? '' : '_total',
    ofSums: [...conditions, ...ofAll],
    ofCounters: conditions,
  })
}

/** The same by adapter alone. */
export function countedByAdapter(
  pieces: readonly Piece[],
  filter: Omit<CounterFilter, 'adapter'>,
): CountedRows {
  const values: unknown[] = []
  const conditions = conditionsOf(filter, values)
  const isOfProcess = filter.processId !== undefined
  const ofEach = isOfProcess ? [] : [`adapter_id <> '${ALL_ADAPTERS}'`]
  return unionOf(pieces, values, {
    columns: `adapter_id, ${MEASURES}`,
    suffix: isOfProcess ? '' : '_total',
    ofSums: [...conditions, ...ofEach],
    ofCounters: conditions,
  })
}

function conditionsOf({ adapter, operation, processId }: CounterFilter, values: unknown[]): string[] {
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions: string[] = []
  if (adapter !== undefined) {
    const given = parameter(adapter)
    conditions.push(
      isUuid(adapter)
        ? `adapter_id = ${given}::uuid`
        : `adapter_id = (SELECT id FROM adapter WHERE name = ${given})`,
    )
  }
  if (operation !== undefined) conditions.push(`operation = ${parameter(operation)}`)
  if (processId !== undefined) conditions.push(`process_id = ${parameter(processId)}`)
  return conditions
}

interface Sources {
  columns: string
  /** Of the names of the tables of sums. */
  suffix: '' | '_total'
  ofSums: readonly string[]
  ofCounters: readonly string[]
}

function unionOf(pieces: readonly Piece[], values: unknown[], sources: Sources): CountedRows {
  const parameter = (time: number) => `$${values.push(new Date(time).toISOString())}::timestamptz`
  const from = (table: string, time: string, since: number, until: number, conditions: readonly string[]) => {
    const within = [`${time} >= ${parameter(since)}`, `${time} < ${parameter(until)}`]
    return `SELECT ${time} AS at, ${sources.columns} FROM ${table} WHERE ${[...within, ...conditions].join(' AND ')}`
  }
  const parts = pieces.map(({ resolution, since, until }) =>
    from(`sla_${resolution}${sources.suffix}`, 'starts_at', since, until, sources.ofSums),
  )
  const [first, last] = [pieces[0], pieces.at(-1)]
  parts.push(from('sla_counter', 'minute', first?.since ?? 0, last?.until ?? 0, sources.ofCounters))
  return { text: parts.join('\nUNION ALL\n'), values }
}
