import { batching, type ItemResult } from '../core/batching.js'
import { messageOf, RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { pause } from '../core/time-limit.js'
import { type Database, sqlState } from '../db/database.js'
import { ensureAuditPartitions, isMissingPartition } from '../db/partitions.js'
import type { AuditRow, CallRecord } from './call-record.js'
import { RECORD_STATEMENT, recordParameters } from './record-statement.js'

/** Rows of one statement at most: enough to share the round trip, few enough to keep it short. */
const MAX_BATCH = 512
const FIRST_BACK_OFF_MS = 50
const LONGEST_BACK_OFF_MS = 1000
const SETTLED_PATIENCE_MS = 10_000

/** Longest wait of settled marks for records to go along with: a commit of their own would double the commits. */
const MARKS_WAIT_MS = 500

type Item = { kind: 'call'; record: CallRecord } | { kind: 'settled'; jobKeys: string[]; deadline: number }

export interface Recorder {
  /**
   * Resolves when the record is durable. Records of one moment share a statement, one statement at a time.
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

export function createRecorder(options: {
  database: Database
  engineName: string
  worker: string
  /** Told the number of calls of each statement. */
  onBatch?: (calls: number) => void
  log: Log
}): Recorder {
  const { database, engineName, worker, onBatch, log } = options

  const writes = batching<Item, void>(MAX_BATCH, async (items) => {
    const results = new Map<Item, ItemResult<void>>()
    await writeUntilDone(items, results)
    return items.map((item) => results.get(item) ?? { ok: true, value: undefined })
  })

  /** Tries again while Postgres is away, for as long as each item has time. */
  async function writeUntilDone(items: Item[], results: Map<Item, ItemResult<void>>): Promise<void> {
    let left = items
    let backOff = FIRST_BACK_OFF_MS
    while (left.length > 0) {
      try {
        await writeSplitting(left, results)
        return
      } catch (error) {
        if (!(error instanceof RelayError && error.code === 'DATABASE_AWAY')) throw error
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

  /** One statement for all; when Postgres refuses a value, halves, until the bad row is alone. */
  async function writeSplitting(items: Item[], results: Map<Item, ItemResult<void>>): Promise<void> {
    try {
      await writeOnce(items)
    } catch (error) {
      if (!isDataError(error)) throw error
      const [first] = items
      if (first === undefined) return
      if (items.length === 1) {
        results.set(first, await writeWithoutPayload(first, error))
        return
      }
      const middle = Math.ceil(items.length / 2)
      await writeSplitting(items.slice(0, middle), results)
      await writeSplitting(items.slice(middle), results)
    }
  }

  async function writeWithoutPayload(item: Item, reason: unknown): Promise<ItemResult<void>> {
    if (item.kind === 'settled' || item.record.audit === null) return { ok: false, error: asInternal(reason) }
    log.error('Postgres refused a record; it is kept without its payload', {
      requestId: item.record.audit.requestId,
      reason: messageOf(reason),
    })
    let refusal = reason
    for (const record of reducedForms(item.record, item.record.audit)) {
      try {
        await writeOnce([{ kind: 'call', record }])
        return { ok: true, value: undefined }
      } catch (error) {
        if (!isDataError(error)) throw error
        refusal = error
      }
    }
    return { ok: false, error: asInternal(refusal) }
  }

  async function writeOnce(items: Item[]): Promise<void> {
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

  /** After an answer that never came, the statement may still have been carried out: what it wrote is left out. */
  async function withoutRecorded(items: Item[]): Promise<Item[]> {
    const keys = items.flatMap((item) =>
      item.kind === 'call' && item.record.ledger ? [item.record.ledger.jobKey] : [],
    )
    if (keys.length === 0) return items
    try {
      const rows = await database.query<{ job_key: string; attempts: number; receipt: string | null }>(
        'SELECT job_key, attempts, receipt FROM publish_ledger WHERE engine = $1 AND job_key = ANY($2::bigint[])',
        [engineName, keys],
      )
      const known = new Map(rows.map((row) => [row.job_key, row]))
      return items.filter((item) => {
        const ledger = item.kind === 'call' ? item.record.ledger : null
        const row = ledger && known.get(ledger.jobKey)
        // A failure leaves an earlier receipt in place; a receipt, though, must be this one.
        const isRecorded =
          row?.attempts === ledger?.attempts && (ledger?.receipt === null || row?.receipt === ledger?.receipt)
        return !row || !isRecorded
      })
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

function deadlineOf(item: Item): number {
  return item.kind === 'call' ? item.record.deadline : item.deadline
}

/** What is tried of a record that Postgres refuses: without what the task gave, then what no value of it can spoil. */
function reducedForms(record: CallRecord, audit: AuditRow): CallRecord[] {
  const withoutPayload = { ...audit, request: null, response: null, errorText: null, destination: null }
  const { requestId, source, operation, status, errorCode, durationMs, attempt } = audit
  const bare = { ...NOTHING_KNOWN, requestId, source, operation, status, errorCode, durationMs, attempt }
  return [
    { ...record, audit: withoutPayload },
    { ...record, audit: bare, sample: null },
  ]
}

const NOTHING_KNOWN = {
  adapterId: null,
  adapterName: null,
  adapterKind: null,
  destination: null,
  receipt: null,
  errorText: null,
  processInstanceKey: null,
  processId: null,
  processVersion: null,
  elementId: null,
  jobKey: null,
  request: null,
  response: null,
}

/** Class 22: a value does not fit its type. 23: a constraint refuses it. 54: it is too long, e.g. for an index. */
function isDataError(error: unknown): boolean {
  return /^(22|23|54)/.test(sqlState(error) ?? '')
}

function asInternal(reason: unknown): RelayError {
  return new RelayError('INTERNAL', `Postgres refused the record: ${messageOf(reason)}`, { cause: reason })
}
