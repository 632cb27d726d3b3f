import { batching, type ItemResult } from '../core/batching.js'
import { messageOf, RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { pause } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import { ensureAuditPartitions, isMissingPartition } from '../db/partitions.js'
import type { CallRecord } from './call-record.js'
import { recordedAlready } from './lost-answers.js'
import { RECORD_STATEMENT, recordParameters } from './record-statement.js'
import { writeInHalves, writeReduced } from './refused-rows.js'

/** Rows of one statement at most: enough to share the round trip, few enough to keep it short. */
const MAX_BATCH = 512
/**
 * A great many records of one moment are divided among two statements. Jobs that march in step would otherwise keep one
 * part of the road busy and the others idle; half as many march past each other.
 */
const STATEMENTS = 2
const DIVIDE_FROM = 96
const FIRST_BACK_OFF_MS = 50
const LONGEST_BACK_OFF_MS = 1000
const SETTLED_PATIENCE_MS = 10_000

/** Longest wait of settled marks for records to go along with: a commit of their own would double the commits. */
const MARKS_WAIT_MS = 500

export type RecordItem =
  | { kind: 'call'; record: CallRecord }
  | { kind: 'settled'; jobKeys: string[]; deadline: number }

export interface Recorder {
  /**
   * Resolves when the record is durable. Records of one moment share a statement; a great many share two.
   * @throws RelayError DATABASE_AWAY when Postgres stayed away until the record's deadline.
   */
  write(record: CallRecord): Promise<void>
  /** Notes that the engine needs this job no more; goes along with the next records. Never rejects. */
  settled(jobKey: string): Promise<void>
  /** Records that wait for the next statement. */
  readonly waiting: number
  /** Resolves once everything handed over is written or given up. */
  flush(): Promise<void>
}

/** Takes records while Postgres is away, and until those that it took have been written. */
export interface Overflow {
  /** Whether what comes now has to go there, to keep its order. */
  isAhead(): Promise<boolean>
  /** Told that Postgres is away: from now on, and until it is back, all goes there. */
  noticeAway(reason: unknown): void
  /**
   * Resolves when the records are durable there.
   * @param isUnanswered a statement for them was left without an answer: it may have been carried out.
   * @throws RelayError SPOOL_FULL when it cannot keep them.
   */
  keep(items: readonly RecordItem[], isUnanswered: boolean): Promise<void>
}

export function createRecorder(options: {
  database: Database
  engineName: string
  worker: string
  /** Told the number of calls of each statement. */
  onBatch?: (calls: number) => void
  /** Default: records wait for Postgres. */
  overflow?: Overflow | undefined
  log: Log
}): Recorder {
  const { database, engineName, worker, onBatch, overflow, log } = options

  const writes = batching<RecordItem, void>(
    MAX_BATCH,
    async (items) => {
      const results = new Map<RecordItem, ItemResult<void>>()
      await writeUntilDone(items, results)
      return items.map((item) => results.get(item) ?? { ok: true, value: undefined })
    },
    // What overflows keeps the order in which it came.
    { lanes: overflow ? 1 : STATEMENTS, divideFrom: DIVIDE_FROM },
  )

  /** While Postgres is away, the overflow takes them; else they are tried again for as long as each has time. */
  async function writeUntilDone(
    items: RecordItem[],
    results: Map<RecordItem, ItemResult<void>>,
  ): Promise<void> {
    let left = items
    let backOff = FIRST_BACK_OFF_MS
    let isUnanswered = false
    while (left.length > 0) {
      try {
        if (overflow && (await overflow.isAhead())) return await overflow.keep(left, isUnanswered)
        isUnanswered = true
        return await writeSplitting(left, results)
      } catch (error) {
        if (!isPassing(error)) throw error
        left = left.filter((item) => !results.has(item))
        if (overflow && error.code === 'DATABASE_AWAY') {
          overflow.noticeAway(error)
          continue
        }
        log.warn('records wait for Postgres', { records: left.length, reason: error.message })
        await pause(backOff)
        backOff = Math.min(backOff * 2, LONGEST_BACK_OFF_MS)
        for (const item of left)
          if (deadlineOf(item) <= performance.now()) results.set(item, { ok: false, error })
        left = left.filter((item) => !results.has(item))
        left = await withoutRecorded(left)
      }
    }
  }

  /** What Postgres refuses of a value costs its own record the payload, and the others nothing. */
  async function writeSplitting(
    items: RecordItem[],
    results: Map<RecordItem, ItemResult<void>>,
  ): Promise<void> {
    await writeInHalves(items, writeOnce, async (item, reason) => {
      const refusal = item.kind === 'settled' ? reason : await writeWithoutPayload(item.record, reason)
      if (refusal !== undefined) results.set(item, { ok: false, error: asInternal(refusal) })
    })
  }

  function writeWithoutPayload(refused: CallRecord, reason: unknown): Promise<unknown> {
    return writeReduced(refused, reason, (record) => writeOnce([{ kind: 'call', record }]), log)
  }

  async function writeOnce(items: RecordItem[]): Promise<void> {
    const records: CallRecord[] = []
    const settledKeys: string[] = []
    for (const item of items) {
      if (item.kind === 'call') records.push(item.record)
      else settledKeys.push(...item.jobKeys)
    }
    if (records.length > 0) onBatch?.(records.length)
    const parameters = recordParameters({ records, settledKeys, engineName, worker })
    try {
      await database.query(RECORD_STATEMENT, parameters, 'record')
    } catch (error) {
      if (!isMissingPartition(error)) throw error
      await ensureAuditPartitions(database)
      await database.query(RECORD_STATEMENT, parameters, 'record')
    }
  }

  /** After an answer that never came: what was written all the same is left out. */
  async function withoutRecorded(items: RecordItem[]): Promise<RecordItem[]> {
    try {
      const records = items.flatMap((item) => (item.kind === 'call' ? [item.record] : []))
      const recorded = await recordedAlready(database, engineName, records)
      return items.filter((item) => item.kind === 'settled' || !recorded.has(item.record))
    } catch {
      return items
    }
  }

  let marks: { jobKeys: string[]; send: () => void; sent: Promise<void> } | undefined

  function collectMarks() {
    const jobKeys: string[] = []
    let send = () => {}
    const sent = new Promise<void>((resolve) => {
      const timer = setTimeout(() => send(), MARKS_WAIT_MS)
      send = () => {
        marks = undefined
        clearTimeout(timer)
        const deadline = performance.now() + SETTLED_PATIENCE_MS
        writes
          .add({ kind: 'settled', jobKeys, deadline })
          .catch((error: unknown) => log.debug('ledger rows stay unsettled', { reason: messageOf(error) }))
          .then(resolve)
      }
    })
    return { jobKeys, send, sent }
  }

  return {
    write(record) {
      marks?.send()
      return writes.add({ kind: 'call', record })
    },
    settled(jobKey) {
      marks ??= collectMarks()
      marks.jobKeys.push(jobKey)
      return marks.sent
    },
    get waiting() {
      return writes.waiting
    },
    flush() {
      marks?.send()
      return writes.idle()
    },
  }
}

function isPassing(error: unknown): error is RelayError {
  return error instanceof RelayError && (error.code === 'DATABASE_AWAY' || error.code === 'SPOOL_FULL')
}

function deadlineOf(item: RecordItem): number {
  return item.kind === 'call' ? item.record.deadline : item.deadline
}

function asInternal(reason: unknown): RelayError {
  return new RelayError('INTERNAL', `Postgres refused the record: ${messageOf(reason)}`, { cause: reason })
}
