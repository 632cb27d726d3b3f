import { membersOf } from '../core/json.js'
import type { Database } from '../db/database.js'
import type { AuditEntry } from './audit-entry.js'
import { auditPage } from './audit-queries.js'
import { type LoggedCall, loggedCalls } from './file-log-reader.js'

/** Where in a process a request comes from. */
export interface TracedPlace {
  processInstanceKey: string
  processId: string | null
  processVersion: number | null
  elementId: string | null
  jobKey: string | null
}

/** Everything that is known of one request id; lists begin with the oldest. */
export interface Trace {
  requestId: string
  /** Where the broker put its messages: JSON texts, each once. */
  receipts: string[]
  places: TracedPlace[]
  audit: AuditEntry[]
  /** What the file logs in the folder still hold. */
  fileLog: LoggedCall[]
  /** Whether there are more rows or lines than asked for. */
  isCut: boolean
}

/** @param limit audit rows, and lines of the file log, at most; the newest count. */
export async function traceOf(
  database: Pick<Database, 'query'>,
  options: { folder: string; requestId: string; limit: number },
): Promise<Trace> {
  const { folder, requestId, limit } = options
  const [{ entries, next }, logged] = await Promise.all([
    auditPage(database, { requestId }, { limit }),
    loggedCalls(folder, requestId, limit + 1),
  ])
  const audit = entries.reverse()
  const fileLog = logged.slice(-limit)
  const receipts = new Set<string>()
  const places = new Map<string, TracedPlace>()
  for (const { receipt, ...entry } of audit) {
    if (receipt !== null) receipts.add(receipt)
    addPlace(places, entry)
  }
  for (const { facts, line } of fileLog) {
    const response = membersOf(line).get('response')
    if (facts.status === 'published' && response !== undefined) receipts.add(response)
    addPlace(places, facts)
  }
  const isCut = next !== null || logged.length > limit
  return { requestId, receipts: [...receipts], places: [...places.values()], audit, fileLog, isCut }
}

function addPlace(
  places: Map<string, TracedPlace>,
  found: { [Fact in keyof TracedPlace]?: TracedPlace[Fact] | null },
): void {
  const {
    processInstanceKey,
    processId = null,
    processVersion = null,
    elementId = null,
    jobKey = null,
  } = found
  if (processInstanceKey == null) return
  const place = { processInstanceKey, processId, processVersion, elementId, jobKey }
  places.set(`${processInstanceKey} ${elementId} ${jobKey}`, place)
}
