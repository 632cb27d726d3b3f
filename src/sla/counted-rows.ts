import { validate as isUuid } from 'uuid'
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

const COLUMNS =
  'adapter_id, operation, process_id, calls, errors, held, duration_sum_ms, duration_max_ms, histogram'

/**
 * A query for the counters of some stretches of time: their sums, and what has not been rolled up yet. One statement
 * sees each counter in exactly one of the two.
 */
export function countedRows(pieces: readonly Piece[], filter: CounterFilter): CountedRows {
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions: string[] = []
  if (filter.adapter !== undefined) {
    const given = parameter(filter.adapter)
    conditions.push(
      isUuid(filter.adapter)
        ? `adapter_id = ${given}::uuid`
        : `adapter_id = (SELECT id FROM adapter WHERE name = ${given})`,
    )
  }
  if (filter.operation !== undefined) conditions.push(`operation = ${parameter(filter.operation)}`)
  if (filter.processId !== undefined) conditions.push(`process_id = ${parameter(filter.processId)}`)

  const from = (table: string, time: string, since: number, until: number) => {
    const within = [
      `${time} >= ${parameter(new Date(since).toISOString())}::timestamptz`,
      `${time} < ${parameter(new Date(until).toISOString())}::timestamptz`,
    ]
    return `SELECT ${time} AS at, ${COLUMNS} FROM ${table} WHERE ${[...within, ...conditions].join(' AND ')}`
  }
  const parts = pieces.map(({ resolution, since, until }) =>
    from(`sla_${resolution}`, 'starts_at', since, until),
  )
  const [first, last] = [pieces[0], pieces.at(-1)]
  if (first && last) parts.push(from('sla_counter', 'minute', first.since, last.until))
  else parts.push(from('sla_counter', 'minute', 0, 0))
  return { text: parts.join('\nUNION ALL\n'), values }
}
