import { plainArray, textArray } from '../db/text-array.js'
import { type CounterRow, sumSamples } from '../sla/counters.js'
import {
  type AuditRow,
  type CallRecord,
  isRememberedByAudit,
  type LedgerRecord,
  type Recorded,
} from './call-record.js'
import { firstsOfKind } from './facets.js'

/** What a form of the record statement adds to it; parameters behind those of its parts are its own. */
export interface StatementForm {
  /** The first parameter of the counters. */
  countersFrom: number
  /** Of audit rows: a further column and where its values come from. */
  auditColumn: string
  auditValues: string
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
    job_key, request, response, engine, fingerprint, is_indexed${form.auditColumn})
  SELECT $1,
    unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::uuid[]), unnest($6::text[]),
    unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]), unnest($11::text[]),
    unnest($12::text[]), unnest($13::real[]), unnest($14::int[]), unnest($15::bigint[]), unnest($16::text[]),
    unnest($17::int[]), unnest($18::text[]), unnest($19::bigint[]), unnest($20::text[]), unnest($21::text[]),
    $22, unnest($23::text[]), unnest($24::boolean[])${form.auditValues}${form.where}`,
    ledger: `
  INSERT INTO publish_ledger AS known
    (engine, job_key, process_instance_key, element_instance_key, fingerprint, attempts, receipt)
  SELECT $22,
    unnest($25::bigint[]), unnest($26::bigint[]), unnest($27::bigint[]), unnest($28::text[]), unnest($29::int[]),
    unnest($30::text[])${form.where}
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
    at = now()`,
    settled: `
  INSERT INTO settled_mark (engine, job_keys) SELECT $22, $31::bigint[] WHERE $31::bigint[] <> '{}'`,
    counters: countersPart(form),
  }
}

function countersPart(form: StatementForm): string {
  const parameter = (index: number) => `$${form.countersFrom + index}`
  return `
INSERT INTO sla_counter AS counter
  (minute, worker, adapter_id, operation, process_id, calls, errors, held, duration_sum_ms, duration_max_ms, histogram)
SELECT date_trunc('minute', ${form.minuteOf}), $1, adapter_id, operation, process_id, calls, errors, held, sum_ms,
  max_ms, histogram::bigint[]
FROM unnest(
  ${parameter(0)}::uuid[], ${parameter(1)}::text[], ${parameter(2)}::text[], ${parameter(3)}::bigint[],
  ${parameter(4)}::bigint[], ${parameter(5)}::bigint[], ${parameter(6)}::double precision[],
  ${parameter(7)}::double precision[], ${parameter(8)}::text[]${form.counterArray})
  AS sample(adapter_id, operation, process_id, calls, errors, held, sum_ms, max_ms, histogram${form.counterColumn})${form.where}
ON CONFLICT (minute, adapter_id, operation, process_id, worker) DO UPDATE SET
  calls = counter.calls + excluded.calls,
  errors = counter.errors + excluded.errors,
  held = counter.held + excluded.held,
  duration_sum_ms = counter.duration_sum_ms + excluded.duration_sum_ms,
  duration_max_ms = greatest(counter.duration_max_ms, excluded.duration_max_ms),
  histogram = ARRAY(
    SELECT a + b FROM unnest(counter.histogram, excluded.histogram) WITH ORDINALITY AS both_(a, b, n) ORDER BY n)`
}

/** For records that are written as they are made. */
export const NOW: Omit<StatementForm, 'countersFrom'> = {
  auditColumn: '',
  auditValues: '',
  counterColumn: '',
  counterArray: '',
  minuteOf: 'now()',
  where: '',
}

/** Behind those of audit, ledger and settled. */
export const COUNTERS_FROM = 32

const now = statementParts({ ...NOW, countersFrom: COUNTERS_FROM })

/**
 * Audit rows, ledger rows, counters and settled marks of one moment, as one statement: one round trip, one commit.
 * Each array parameter is a column, unnested in the select list: in FROM, Postgres would keep each column's values aside
 * first. Rows are sorted by key, so that writers of several workers cannot deadlock. `at` is the database's clock.
 *
 * The counters come first because Postgres carries out parts that nothing refers to in reverse: two statements of one worker
 * count in the same rows, so the second waits for the commit of the first from there on, and only from there on.
 */
export const RECORD_STATEMENT = `
WITH counters AS (${now.counters}
), audit AS (${now.audit}
), ledger AS (${now.ledger}
), settled AS (${now.settled}
)
SELECT`

export interface RecordBatch {
  records: CallRecord[]
  settledKeys: string[]
  engineName: string
  worker: string
}

/** The values of `RECORD_STATEMENT`, in the order of its parameters. */
export function recordParameters(batch: RecordBatch): unknown[] {
  const samples = batch.records.flatMap(({ sample }) => sample ?? [])
  const ledgers = ledgerRowsOf(batch.records)
  // The mark is of an earlier delivery than the record beside it, whose job is not settled yet.
  const recorded = new Set(ledgers.map(({ jobKey }) => jobKey))
  const settledKeys = batch.settledKeys.filter((key) => !recorded.has(key))
  return sharedParameters({ ...batch, settledKeys }, ledgers, sumSamples(samples), true)
}

/**
 * Of what no audit row remembers, sorted by job key. Of a job that is recorded twice in one batch the later record
 * counts: a statement can touch a row only once.
 */
export function ledgerRowsOf(records: readonly CallRecord[]): LedgerRecord[] {
  const rows = new Map<string, LedgerRecord>()
  for (const record of records) {
    if (record.ledger && !isRememberedByAudit(record)) rows.set(record.ledger.jobKey, record.ledger)
  }
  return [...rows.values()].sort((a, b) => compareKeys(a.jobKey, b.jobKey))
}

/**
 * The values that all forms of the statement share, in the order of their parameters.
 * @param isOneMoment whether the audit rows get the same `at`.
 */
export function sharedParameters(
  batch: RecordBatch,
  ledgerRows: readonly LedgerRecord[],
  counters: readonly CounterRow[],
  isOneMoment: boolean,
): unknown[] {
  const ledger = (column: (row: LedgerRecord) => string | number) => plainArray(ledgerRows.map(column))
  const ledgerText = (column: (row: LedgerRecord) => string | null) => textArray(ledgerRows.map(column))
  return [
    ...auditParameters(batch, batch.records, isOneMoment),
    ledger((row) => row.jobKey),
    ledger((row) => row.processInstanceKey),
    ledger((row) => row.elementInstanceKey),
    ledgerText((row) => row.fingerprint),
    ledger((row) => row.attempts),
    ledgerText((row) => row.receipt),
    plainArray(batch.settledKeys),
    ...counterParameters(counters),
  ]
}

/** The first 24 parameters. */
export function auditParameters(
  { worker, engineName }: Pick<RecordBatch, 'worker' | 'engineName'>,
  records: readonly Recorded[],
  isOneMoment: boolean,
): unknown[] {
  const audits: AuditRow[] = []
  const fingerprints: (string | null)[] = []
  for (const record of records) {
    if (record.audit === null) continue
    audits.push(record.audit)
    fingerprints.push(
      isRememberedByAudit(record) && record.ledger.receipt !== null ? record.ledger.fingerprint : null,
    )
  }
  const audit = (column: (row: AuditRow) => string | number | null) => plainArray(audits.map(column))
  const auditText = (column: (row: AuditRow) => string | null) => textArray(audits.map(column))
  return [
    worker,
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
    // Kept once where it is the receipt: a sixth of the row.
    auditText((row) => (row.response === row.receipt ? null : row.response)),
    engineName,
    textArray(fingerprints),
    plainArray(isOneMoment ? firstsOfKind(audits) : audits.map(() => true)),
  ]
}

/** The nine parameters of the counters. */
export function counterParameters(counters: readonly CounterRow[]): unknown[] {
  const counter = <T>(column: (row: CounterRow) => T): T[] => counters.map(column)
  return [
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

function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}
