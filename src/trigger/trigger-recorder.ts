import type { AuditRow } from '../audit/call-record.js'
import { auditParameters, counterParameters, NOW, statementParts } from '../audit/record-statement.js'
import { writeInHalves, writeReduced } from '../audit/refused-rows.js'
import { batching, type ItemResult } from '../core/batching.js'
import type { Log } from '../core/log.js'
import type { Database } from '../db/database.js'
import { ensureAuditPartitions, isMissingPartition } from '../db/partitions.js'
import type { Session } from '../db/session.js'
import { textArray } from '../db/text-array.js'
import { type CounterSample, sumSamples } from '../sla/counters.js'
import { deadLettersJson, insertDeadLetters } from './dead-letter-rows.js'
import type { NewDeadLetter } from './give-up.js'
import { type LedgerEntry, restOf } from './trigger-ledger.js'

/** Everything that one message leaves behind; written whole or not at all. */
export interface TriggerRecord {
  /** Null when the adapter's audit switch is off. */
  audit: AuditRow | null
  /** Null when the adapter's SLA switch is off. */
  sample: CounterSample | null
  /** The message counts as handled from now on; null: it does not. */
  handled: LedgerEntry | null
  deadLetter: NewDeadLetter | null
}

export interface TriggerRecorder {
  /**
   * Resolves when the record is durable; records of one moment share a statement. A record that Postgres refuses loses
   * its payload.
   * @throws RelayError DATABASE_AWAY: it may have been written nonetheless; and Postgres's own error for what it refuses
   *   without payload, too
   */
  write(record: TriggerRecord): Promise<void>
  /** As `write`, in one transaction with what `also` does. @throws what `also` throws, too: then nothing is written */
  writeWith(record: TriggerRecord, also: Also): Promise<void>
  /** Resolves once everything handed over is written or given up. */
  flush(): Promise<void>
}

/** Further work of a transaction. */
export type Also = (session: Session) => Promise<void>

/** As many as the records of jobs, and for the same reasons. */
const MAX_BATCH = 512
const LANES = { lanes: 2, divideFrom: 96 }

const COUNTERS_FROM = 25
const parts = statementParts({ ...NOW, countersFrom: COUNTERS_FROM })

/** Like the record statement of jobs, with what triggers have instead of the ledger of jobs. */
const STATEMENT = `
WITH counters AS (${parts.counters}
), audit AS (${parts.audit}
), handled AS (
  INSERT INTO trigger_ledger (trigger_id, message_id, message_at, topic, partition)
  SELECT unnest($34::text[])::uuid, unnest($35::text[]), unnest($36::text[])::timestamptz, unnest($37::text[]),
    unnest($38::int[])
  ON CONFLICT (trigger_id, message_id) DO UPDATE SET
    (message_at, topic, partition, is_open, at) =
    (excluded.message_at, excluded.topic, excluded.partition, false, now())
), letters AS (${insertDeadLetters('$39')}
)
SELECT`

export function createTriggerRecorder(options: {
  database: Database
  worker: string
  engineName: string
  /** How many messages are being handled. */
  inHand: () => number
  log: Log
}): TriggerRecorder {
  const { database, worker, engineName, inHand, log } = options

  async function writeOnce(records: readonly TriggerRecord[], also?: Also): Promise<void> {
    const parameters = parametersOf(records, { worker, engineName })
    const once = async (): Promise<void> => {
      if (!also) await database.query(STATEMENT, parameters, 'trigger-record')
      else {
        await database.transaction(async (session) => {
          await session.query(STATEMENT, parameters)
          await also(session)
        })
      }
    }
    try {
      await once()
    } catch (error) {
      if (!isMissingPartition(error)) throw error
      await ensureAuditPartitions(database)
      await once()
    }
  }

  /** @returns what Postgres takes nothing of, and why */
  async function writeSplitting(records: TriggerRecord[], also?: Also): Promise<Map<TriggerRecord, unknown>> {
    const refused = new Map<TriggerRecord, unknown>()
    await writeInHalves(
      records,
      (some) => writeOnce(some, also),
      async (record, reason) => {
        const refusal = await writeReduced(record, reason, (reduced) => writeOnce([reduced], also), log)
        if (refusal !== undefined) refused.set(record, refusal)
      },
    )
    return refused
  }

  const writes = batching<TriggerRecord, void>(
    MAX_BATCH,
    async (records) => {
      const refused = await writeSplitting(records)
      return records.map((record): ItemResult<void> => {
        const error = refused.get(record)
        return error === undefined ? { ok: true, value: undefined } : { ok: false, error }
      })
    },
    { ...LANES, rest: restOf(inHand) },
  )

  return {
    write: (record) => writes.add(record),
    async writeWith(record, also) {
      const refused = await writeSplitting([record], also)
      if (refused.has(record)) throw refused.get(record)
    },
    flush: () => writes.idle(),
  }
}

function parametersOf(
  records: readonly TriggerRecord[],
  from: { worker: string; engineName: string },
): unknown[] {
  const samples: CounterSample[] = []
  const letters: NewDeadLetter[] = []
  const handled = new Map<string, LedgerEntry>()
  for (const record of records) {
    if (record.sample) samples.push(record.sample)
    if (record.deadLetter) letters.push(record.deadLetter)
    // A statement can touch a row only once.
    if (record.handled) handled.set(`${record.handled.triggerId} ${record.handled.messageId}`, record.handled)
  }
  // Sorted, so that writers of several workers cannot deadlock.
  const entries = [...handled].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([, entry]) => entry)
  return [
    ...auditParameters(from, records, true),
    ...counterParameters(sumSamples(samples)),
    textArray(entries.map(({ triggerId }) => triggerId)),
    textArray(entries.map(({ messageId }) => messageId)),
    textArray(entries.map(({ messageAt }) => messageAt.toISOString())),
    textArray(entries.map(({ topic }) => topic)),
    entries.map(({ partition }) => partition),
    deadLettersJson(letters),
  ]
}
