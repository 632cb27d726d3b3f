import { textArray } from '../db/text-array.js'
import { type CounterRow, sumSamples } from '../sla/counters.js'
import type { AuditRow, CallRecord, LedgerRecord } from './call-record.js'

/** What a form of the record statement adds to it; parameters from 39 on are its own. */
export interface StatementForm {
  /** Of audit rows and ledger rows: a further column and the array it comes from. */
  auditColumn: string
  auditArray: string
  ledgerColumn: string
  ledgerArray: string
  counterColumn: string
  counterArray: string
  /** When the calls of a counter were made. */
  minuteOf: string
  /** Which rows are written. */
  where: string
}

export function statementParts(form: StatementForm) {
  return {
    audit: `
  INSERT INTO sys_audit_log (
    worker, request_id, source, operation, adapter_id, adapter_name, adapter_kind, destination, receipt, status,
    error_code, error_text, duration_ms, attempt, process_instance_key, process_id, process_version, element_id,
    job_key, request, response${form.auditColumn})
  SELECT $1, * FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::real[], $14::int[], $15::bigint[], $16::text[], $17::int[], $18::text[],
    $19::bigint[], $20::text[], $21::text[]${form.auditArray})${form.where}`,
    ledger: `
  INSERT INTO publish_ledger AS known
    (engine, job_key, process_instance_key, element_instance_key, fingerprint, attempts, receipt${form.ledgerColumn})
  SELECT $22, * FROM unnest(
    $23::bigint[], $24::bigint[], $25::bigint[], $26::text[], $27::int[], $28::text[]${form.ledgerArray})${form.where}
  ON CONFLICT (engine, job_key) DO UPDATE SET
    process_instance_key = excluded.process_instance_key,
    element_instance_key = excluded.element_instance_key,
    attempts = excluded.attempts,
    -- A failure recorded late must not forget that another delivery of the same job was acknowledged.
    (fingerprint, receipt) = (
      SELECT CASE WHEN keep THEN known.fingerprint ELSE excluded.fingerprint END,
             CASE WHEN keep THEN known.receipt ELSE excluded.receipt END
      FROM (SELECT excluded.receipt IS NULL
              AND known.process_instance_key = excluded.process_instance_key
              AND known.element_instance_key = excluded.element_instance_key) AS k(keep)),
    at = now(),
    settled_at = excluded.settled_at`,
    settled: `
  UPDATE publish_ledger SET settled_at = now()
  WHERE engine = $22 AND job_key = ANY($29::bigint[]) AND settled_at IS NULL`,
    counters: `
INSERT INTO sla_counter AS counter
  (minute, worker, adapter_id, operation, process_id, calls, errors, held, duration_sum_ms, duration_max_ms, histogram)
SELECT date_trunc('minute', ${form.minuteOf}), $1, adapter_id, operation, process_id, calls, errors, held, sum_ms,
  max_ms, histogram::bigint[]
FROM unnest(
  $30::uuid[], $31::text[], $32::text[], $33::bigint[], $34::bigint[], $35::bigint[], $36::double precision[],
  $37::double precision[], $38::text[]${form.counterArray})
  AS sample(adapter_id, operation, process_id, calls, errors, held, sum_ms, max_ms, histogram${form.counterColumn})${form.where}
ON CONFLICT (minute, adapter_id, operation, process_id, worker) DO UPDATE SET
  calls = counter.calls + excluded.calls,
  errors = counter.errors + excluded.errors,
  held = counter.held + excluded.held,
  duration_sum_ms = counter.duration_sum_ms + excluded.duration_sum_ms,
  duration_max_ms = greatest(counter.duration_max_ms, excluded.duration_max_ms),
  histogram = ARRAY(
    SELECT a + b FROM unnest(counter.histogram, excluded.histogram) WITH ORDINALITY AS both_(a, b, n) ORDER BY n)`,
  }
}

const now = statementParts({
  auditColumn: '',
  auditArray: '',
  ledgerColumn: '',
  ledgerArray: '',
  counterColumn: '',
  counterArray: '',
  minuteOf: 'now()',
  where: '',
})

/**
 * Audit rows, ledger rows, counters and settled marks of one moment, as one statement: one round trip, one commit.
 * Each array parameter is a column; rows are sorted by key, so that writers of several workers cannot deadlock.
 * `at` is the database's clock.
 */
export const RECORD_STATEMENT = `
WITH audit AS (${now.audit}
), ledger AS (${now.ledger}
), settled AS (${now.settled}
)${now.counters}`

export interface RecordBatch {
  records: CallRecord[]
  settledKeys: string[]
  engineName: string
  worker: string
}

/** The values of `RECORD_STATEMENT`, in the order of its parameters. */
export function recordParameters(batch: RecordBatch): unknown[] {
  const audits: AuditRow[] = []
  const samples = []
  for (const { audit, sample } of batch.records) {
    if (audit) audits.push(audit)
    if (sample) samples.push(sample)
  }
  return sharedParameters(batch, audits, ledgerRowsOf(batch.records), sumSamples(samples))
}

export interface LedgerRows {
  byJobKey: ReadonlyMap<string, LedgerRecord>
  sorted: LedgerRecord[]
}

/** Of a job that is recorded twice in one batch the later record counts: a statement can touch a row only once. */
export function ledgerRowsOf(records: readonly CallRecord[]): LedgerRows {
  const byJobKey = new Map<string, LedgerRecord>()
  for (const { ledger } of records) if (ledger) byJobKey.set(ledger.jobKey, ledger)
  return { byJobKey, sorted: [...byJobKey.values()].sort((a, b) => compareKeys(a.jobKey, b.jobKey)) }
}

/** The values that all forms of the statement share, in the order of their parameters. */
export function sharedParameters(
  batch: RecordBatch,
  audits: readonly AuditRow[],
  ledgers: LedgerRows,
  counters: readonly CounterRow[],
): unknown[] {
  const ledgerRows = ledgers.sorted
  const settledKeys = batch.settledKeys.filter((key) => !ledgers.byJobKey.has(key)).sort(compareKeys)

  const audit = <T>(column: (row: AuditRow) => T): T[] => audits.map(column)
  const auditText = (column: (row: AuditRow) => string | null) =>
    textArray(audits.map((row) => storable(column(row))))
  const ledger = <T>(column: (row: LedgerRecord) => T): T[] => ledgerRows.map(column)
  const ledgerText = (column: (row: LedgerRecord) => string | null) =>
    textArray(ledgerRows.map((row) => storable(column(row))))
  const counter = <T>(column: (row: CounterRow) => T): T[] => counters.map(column)
  return [
    batch.worker,
    auditText((row) => row.requestId),
    auditText((row) => row.source),
    auditText((row) => row.operation),
    audit((row) => row.adapterId),
    auditText((row) => row.adapterName),
    auditText((row) => row.adapterKind),
    auditText((row) => row.destination),
    auditText((row) => row.receipt),
    auditText((row) => row.status),
    auditText((row) => row.errorCode),
    auditText((row) => row.errorText),
    audit((row) => row.durationMs),
    audit((row) => row.attempt),
    audit((row) => row.processInstanceKey),
    auditText((row) => row.processId),
    audit((row) => row.processVersion),
    auditText((row) => row.elementId),
    audit((row) => row.jobKey),
    auditText((row) => row.request),
    auditText((row) => row.response),
    batch.engineName,
    ledger((row) => row.jobKey),
    ledger((row) => row.processInstanceKey),
    ledger((row) => row.elementInstanceKey),
    ledgerText((row) => row.fingerprint),
    ledger((row) => row.attempts),
    ledgerText((row) => row.receipt),
    settledKeys,
    counter((row) => row.adapterId),
    counter((row) => row.operation),
    counter((row) => row.processId),
    counter((row) => row.calls),
    counter((row) => row.errors),
    counter((row) => row.held),
    counter((row) => row.durationSumMs),
    counter((row) => row.durationMaxMs),
    counter((row) => `{${row.histogram.join(',')}}`),
  ]
}

/** Postgres stores no NUL in text: it becomes the replacement character. */
function storable(text: string | null): string | null {
  return text?.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}

function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}
