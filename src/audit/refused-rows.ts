import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { sqlState } from '../db/database.js'
import type { CounterSample } from '../sla/counters.js'
import type { AuditRow } from './call-record.js'

/**
 * One statement for all items; when Postgres refuses a value, one for each half, until the bad item is alone.
 * @param refused told of that item; the others go on.
 */
export async function writeInHalves<T>(
  items: T[],
  write: (items: T[]) => Promise<void>,
  refused: (item: T, reason: unknown) => Promise<void>,
): Promise<void> {
  try {
    await write(items)
  } catch (error) {
    if (!isDataError(error)) throw error
    const [first] = items
    if (first === undefined) return
    if (items.length === 1) return await refused(first, error)
    const middle = Math.ceil(items.length / 2)
    await writeInHalves(items.slice(0, middle), write, refused)
    await writeInHalves(items.slice(middle), write, refused)
  }
}

interface Refusable {
  audit: AuditRow | null
  sample: CounterSample | null
}

/**
 * Writes what Postgres takes of a record that it has refused.
 * @returns undefined, or the reason why it takes nothing of it
 */
export async function writeReduced<R extends Refusable>(
  record: R,
  reason: unknown,
  write: (record: R) => Promise<void>,
  log: Log,
): Promise<unknown> {
  if (record.audit === null) return reason
  log.error('Postgres refused a record; it is kept without its payload', {
    requestId: record.audit.requestId,
    reason: messageOf(reason),
  })
  let refusal = reason
  for (const reduced of reducedForms(record, record.audit)) {
    try {
      await write(reduced)
      return undefined
    } catch (error) {
      if (!isDataError(error)) throw error
      refusal = error
    }
  }
  return refusal
}

/** What is tried of a record that Postgres refuses: without what the task gave, then what no value of it can spoil. */
function reducedForms<R extends Refusable>(record: R, audit: AuditRow): R[] {
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
