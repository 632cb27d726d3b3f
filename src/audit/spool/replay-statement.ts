import { type CounterSample, sumSamples } from '../../sla/counters.js'
import type { CallRecord } from '../call-record.js'
import {
  COUNTERS_FROM,
  ledgerRowsOf,
  type RecordBatch,
  sharedParameters,
  statementParts,
} from '../record-statement.js'

const MINUTE_MS = 60_000

const parts = statementParts({
  countersFrom: COUNTERS_FROM,
  auditColumn: ', at',
  auditValues: ', unnest($41::timestamptz[])',
  counterColumn: ', at',
  counterArray: ', $42::timestamptz[]',
  minuteOf: 'at',
  where: '\n  WHERE EXISTS (SELECT FROM advanced)',
})

/**
 * The record statement for records that bring their times along. It moves the spool's position on as well, and writes no
 * row where that was moved already, by a statement that an earlier try or an earlier life of the worker left behind.
 */
export const REPLAY_STATEMENT = `
WITH advanced AS (
  UPDATE spool_position SET position = $45, at = now() WHERE spool = $43 AND position = $44 RETURNING 1
), audit AS (${parts.audit}
), ledger AS (${parts.ledger}
), settled AS (${parts.settled}
), counters AS (${parts.counters}
)
SELECT EXISTS (SELECT FROM advanced) AS advanced`

/** A record that is written later than its call was made. */
export interface EarlierRecord extends CallRecord {
  /** Milliseconds since 1970. */
  at: number
}

export interface ReplayBatch extends RecordBatch {
  records: EarlierRecord[]
  spool: string
  /** The part of the spool that these records are. */
  from: number
  to: number
}

/** The values of `REPLAY_STATEMENT`, in the order of its parameters. */
export function replayParameters(batch: ReplayBatch): unknown[] {
  const auditTimes: string[] = []
  const samples = new Map<number, CounterSample[]>()
  for (const { at, audit, sample } of batch.records) {
    if (audit) auditTimes.push(timeText(at))
    if (sample) {
      const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
      const ofMinute = samples.get(minute)
      if (ofMinute) ofMinute.push(sample)
      else samples.set(minute, [sample])
    }
  }
  const counters = [...samples].flatMap(([minute, ofMinute]) =>
    sumSamples(ofMinute).map((row) => ({ ...row, minute })),
  )
  return [
    ...sharedParameters(batch, ledgerRowsOf(batch.records), counters, false),
    auditTimes,
    counters.map(({ minute }) => timeText(minute)),
    batch.spool,
    batch.from,
    batch.to,
  ]
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
