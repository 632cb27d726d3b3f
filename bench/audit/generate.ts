import { createHash } from 'node:crypto'
import type { AuditFilter } from '../../src/audit/audit-filter.js'
import type { Database } from '../../src/db/database.js'
import { auditDays, ensureAuditPartitions } from '../../src/db/partitions.js'

export const DAY_MS = 86_400_000
export const DAYS = 30
/** Rows of one statement, so that none takes long. */
const CHUNK = 50_000
/** The newest rows come as a worker writes them, so that the indexes of the current day are in the state it leaves. */
const LIVE_ROWS = 5000
const LIVE_CHUNK = 50
const RARE_ADAPTER = 'ffffffff-0000-4000-8000-000000000000'

/**
 * Of each filter a value that many rows have, one that one in 200 has, one that one in 10,000 has, and one that only a
 * third of the rows of a single hour twelve days ago have.
 */
export const VALUES = {
  adapter: ['adapter-2', 'adapter-seldom', RARE_ADAPTER, 'adapter-past'],
  kind: ['kafka', 'seldom', 'rocketmq', 'past'],
  source: ['job', 'admin', 'trigger', 'past'],
  operation: ['publish', 'topic.create', 'topic.delete', 'acl.create'],
  status: ['published', 'skipped', 'rejected', 'done'],
  errorCode: ['BROKER_TIMEOUT', 'BROKER_UNREACHABLE', 'TOPIC_UNKNOWN', 'ADAPTER_RATE_LIMITED'],
  topic: ['topic-4', 'topic-seldom', 'topic-rare', 'topic-past'],
  processId: ['process-3', 'process-seldom', 'process-rare', 'process-past'],
  elementId: ['task-9', 'task-seldom', 'task-rare', 'task-past'],
  actor: ['operator', 'another', 'stranger', 'past'],
} as const satisfies Partial<Record<keyof AuditFilter, readonly [string, string, string, string]>>

/**
 * Makes the audit log one of so many rows over the last 30 days, the newest of just now: as service tasks of 40 processes
 * leave them through 20 adapters, few of which have most of the calls, 1.5 % of them not published. Postgres makes them
 * itself, and indexes them at the end.
 */
export async function generateAuditRows(
  database: Database,
  rows: number,
  progress: (text: string) => void,
): Promise<void> {
  const end = Date.now()
  for (const { name } of await auditDays(database)) await database.query(`DROP TABLE ${name}`)
  await ensureAuditPartitions(database, new Date(end - DAYS * DAY_MS))
  const insert = (first: number, last: number) =>
    database.query(INSERT, [new Date(end), (DAYS * DAY_MS) / rows, rows, first, last])

  const indexes = await database.query<{ name: string; definition: string }>(
    `SELECT indexname AS name, replace(indexdef, ' ON ONLY ', ' ON ') AS definition
     FROM pg_indexes WHERE tablename = 'sys_audit_log' AND indexname <> 'sys_audit_log_pkey'`,
  )
  for (const { name } of indexes) await database.query(`DROP INDEX ${name}`)
  for (let first = 1; first <= rows - LIVE_ROWS; first += CHUNK) {
    progress(`rows of the audit log: ${first} of ${rows}`)
    await insert(first, Math.min(rows - LIVE_ROWS, first + CHUNK - 1))
  }
  for (const { name, definition } of indexes) {
    progress(`rows of the audit log: ${name}`)
    await database.query(definition)
  }
  // As autovacuum does: of the days, not of the whole.
  for (const { name } of await auditDays(database)) await database.query(`ANALYZE ${name}`)
  for (let first = rows - LIVE_ROWS + 1; first <= rows; first += LIVE_CHUNK) {
    await insert(first, first + LIVE_CHUNK - 1)
  }
}

/** Request id, process instance and job of the row with this number. */
export function keysOf(row: number): { requestId: string; processInstanceKey: string; jobKey: string } {
  const hex = createHash('md5').update(String(row)).digest('hex')
  return {
    requestId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    processInstanceKey: String(FIRST_KEY + BigInt(instanceOf(row)) * 16n),
    jobKey: String(FIRST_KEY + BigInt(row) * 5n),
  }
}

const FIRST_KEY = 2_251_799_813_685_248n

/** Fifteen rows are five instances, of one to five rows. */
function instanceOf(row: number): number {
  return Math.floor(row / 15) * 5 + [1, 3, 6, 10].filter((from) => row % 15 >= from).length
}

/** From 0 to 1, different for each row and place. */
const chance = (place: number) => `(hashint8extended(n, ${place}) & 1048575)::float8 / 1048576`
/** One of so many, the first far more often than the last. */
const oneOf = (count: number, place: number) => `floor(${count} * power(${chance(place)}, 2.5))::int`

/** Which rows have the seldom, the rare and the past value differs from column to column. */
function mixed(
  [, seldom, rare, past]: readonly [string, string, string, string],
  place: number,
  usual: string,
): string {
  return `CASE WHEN ${chance(place)} < 0.0001 THEN '${rare}' WHEN ${chance(place)} < 0.0051 THEN '${seldom}'
    WHEN in_past_hour AND ${chance(place)} < 0.34 THEN '${past}' ELSE ${usual} END`
}

const INSERT = `
INSERT INTO sys_audit_log (
  id, at, request_id, source, operation, adapter_id, adapter_name, adapter_kind, destination, receipt, status, error_code,
  error_text, duration_ms, attempt, process_instance_key, process_id, process_version, element_id, job_key, worker,
  actor, request, response)
OVERRIDING SYSTEM VALUE
SELECT n, at, md5(n::text)::uuid::text,
  ${mixed(VALUES.source, 1, "'job'")},
  ${mixed(VALUES.operation, 2, "'publish'")},
  CASE WHEN ${chance(3)} < 0.0001 THEN '${RARE_ADAPTER}' ELSE '00000000-0000-4000-8000-0000000000' || lpad(adapter::text, 2, '0') END::uuid,
  ${mixed(VALUES.adapter, 4, "'adapter-' || adapter")},
  ${mixed(VALUES.kind, 5, "'kafka'")},
  ${mixed(VALUES.topic, 6, "'topic-' || topic")},
  '{"requestId":"' || md5(n::text)::uuid || '","topic":"topic-' || topic || '","partition":3,"offset":' || n || '}',
  ${mixed(VALUES.status, 7, "CASE WHEN failed THEN 'failed' ELSE 'published' END")},
  ${mixed(VALUES.errorCode, 8, "CASE WHEN failed THEN 'BROKER_TIMEOUT' END")},
  CASE WHEN failed THEN 'the broker did not answer within 10000 ms' END,
  n % 50, 1, ${FIRST_KEY} + (n / 15 * 5 + width_bucket(n % 15, ARRAY[1, 3, 6, 10])) * 16,
  ${mixed(VALUES.processId, 9, "'process-' || process")},
  1,
  ${mixed(VALUES.elementId, 10, "'task-' || process * 3 + n % 3")},
  ${FIRST_KEY} + n * 5, 'worker-' || n % 4,
  ${mixed(VALUES.actor, 11, `CASE WHEN ${chance(11)} > 0.99 THEN 'operator' END`)},
  '{"topic":"topic-' || topic || '","key":"' || n || '","message":[' || repeat('{"order":' || n || '},', 12) || 'null]}',
  NULL
FROM (
  SELECT n, at, at BETWEEN $1::timestamptz - interval '289 hours' AND $1::timestamptz - interval '288 hours' AS in_past_hour,
    ${oneOf(20, 20)} AS adapter, ${oneOf(100, 21)} AS topic, ${oneOf(40, 22)} AS process, ${chance(23)} < 0.01 AS failed
  FROM generate_series($4::bigint, $5::bigint) AS n,
    LATERAL (SELECT $1::timestamptz - ($3::bigint - n) * $2::float8 * interval '1 ms' AS at) AS moment) AS called`
