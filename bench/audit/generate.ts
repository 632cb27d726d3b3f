import type { AuditFilter } from '../../src/audit/audit-filter.js'
import type { Database } from '../../src/db/database.js'
import { ensureAuditPartitions } from '../../src/db/partitions.js'

export const DAY_MS = 86_400_000
export const DAYS = 30
/** Rows of one statement, so that none takes long. */
const CHUNK = 50_000
const RARE_ADAPTER = 'ffffffff-0000-4000-8000-000000000000'

/** Of each filter a value that many rows have, one that one in 200 has, and one that one in 10,000 has. */
export const VALUES = {
  adapter: ['adapter-7', 'adapter-seldom', RARE_ADAPTER],
  kind: ['kafka', 'seldom', 'rocketmq'],
  source: ['job', 'admin', 'trigger'],
  operation: ['publish', 'topic.create', 'topic.delete'],
  status: ['published', 'skipped', 'rejected'],
  errorCode: ['BROKER_TIMEOUT', 'BROKER_UNREACHABLE', 'TOPIC_UNKNOWN'],
  topic: ['topic-42', 'topic-seldom', 'topic-rare'],
  processId: ['process-7', 'process-seldom', 'process-rare'],
  elementId: ['task-70', 'task-seldom', 'task-rare'],
  actor: ['operator', 'another', 'stranger'],
} as const satisfies Partial<Record<keyof AuditFilter, readonly [string, string, string]>>

/**
 * Fills the audit log with rows over the last 30 days, the newest of just now: as service tasks of 40 processes leave
 * them through 20 adapters, 1 % of them failed. Postgres makes them itself.
 */
export async function generateAuditRows(
  database: Database,
  rows: number,
  progress: (text: string) => void,
): Promise<void> {
  const end = Date.now()
  await ensureAuditPartitions(database, new Date(end - DAYS * DAY_MS))
  for (let first = 1; first <= rows; first += CHUNK) {
    progress(`rows of the audit log: ${first} of ${rows}`)
    const last = Math.min(rows, first + CHUNK - 1)
    await database.query(INSERT, [new Date(end), (DAYS * DAY_MS) / rows, rows, first, last])
  }
  await database.query('ANALYZE sys_audit_log')
}

/** Request id, process instance and job of the row with this number. */
export function keysOf(row: number): { requestId: string; processInstanceKey: string; jobKey: string } {
  const processInstanceKey = FIRST_KEY + BigInt(Math.floor(row / 3)) * 16n
  return {
    requestId: `request-${row}`,
    processInstanceKey: String(processInstanceKey),
    jobKey: String(FIRST_KEY + BigInt(row) * 5n),
  }
}

const FIRST_KEY = 2_251_799_813_685_248n

/** Which rows have the seldom and the rare value differs from column to column. */
function mixed([, seldom, rare]: readonly [string, string, string], offset: number, usual: string): string {
  return `CASE WHEN n % 10000 = ${offset * 11} THEN '${rare}' WHEN n % 200 = ${offset * 7} THEN '${seldom}' ELSE ${usual} END`
}

const INSERT = `
INSERT INTO sys_audit_log (
  at, request_id, source, operation, adapter_id, adapter_name, adapter_kind, destination, receipt, status, error_code,
  error_text, duration_ms, attempt, process_instance_key, process_id, process_version, element_id, job_key, worker,
  actor, request, response)
SELECT $1::timestamptz - ($3::int - n) * $2::float8 * interval '1 ms',
  'request-' || n,
  ${mixed(VALUES.source, 1, "'job'")},
  ${mixed(VALUES.operation, 2, "'publish'")},
  CASE WHEN n % 10000 = 3 THEN '${RARE_ADAPTER}' ELSE '00000000-0000-4000-8000-0000000000' || lpad((n % 20)::text, 2, '0') END::uuid,
  ${mixed(VALUES.adapter, 4, "'adapter-' || n % 20")},
  ${mixed(VALUES.kind, 5, "'kafka'")},
  ${mixed(VALUES.topic, 6, "'topic-' || n % 100")},
  '{"requestId":"request-' || n || '","topic":"topic-' || n % 100 || '","partition":3,"offset":' || n || '}',
  ${mixed(VALUES.status, 7, "CASE WHEN n % 100 = 77 THEN 'failed' ELSE 'published' END")},
  ${mixed(VALUES.errorCode, 8, "CASE WHEN n % 100 = 77 THEN 'BROKER_TIMEOUT' END")},
  CASE WHEN n % 100 = 77 THEN 'the broker did not answer within 10000 ms' END,
  n % 50, 1, ${FIRST_KEY} + n / 3 * 16,
  ${mixed(VALUES.processId, 9, "'process-' || n % 40")},
  1,
  ${mixed(VALUES.elementId, 10, "'task-' || n % 150")},
  ${FIRST_KEY} + n::bigint * 5, 'worker-' || n % 4,
  ${mixed(VALUES.actor, 11, "CASE WHEN n % 100 = 50 THEN 'operator' END")},
  '{"topic":"topic-' || n % 100 || '","key":"' || n || '","message":[' || repeat('{"order":' || n || '},', 12) || 'null]}',
  NULL
FROM generate_series($4::int, $5::int) AS n`
