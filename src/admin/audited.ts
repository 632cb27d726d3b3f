import { v7 as uuidv7 } from 'uuid'
import { type AdminAction, recordAdminActions } from '../audit/admin-actions.js'
import type { Operation } from '../audit/operations.js'
import { type RelayError, toRelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'

/** What is about to be done, for the audit log. */
export interface Deed {
  operation: Operation
  /** Topic, consumer group or the like. */
  destination: string | null
  /** With which arguments; no secrets. */
  request?: unknown
}

/** Who acts, and through which adapter if through any. */
export type ActorAndAdapter = Pick<AdminAction, 'actor' | 'adapterId' | 'adapterName' | 'adapterKind'>

/** Does `work` and records it, also when it fails. */
export async function audited<T>(
  database: Database,
  who: ActorAndAdapter,
  { operation, destination, request }: Deed,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now()
  const recordAs = (outcome: ActionOutcome) =>
    recordAdminActions(database, [
      {
        ...who,
        requestId: uuidv7(),
        operation,
        destination,
        receipt: null,
        durationMs: performance.now() - startedAt,
        request: request === undefined ? null : JSON.stringify(request),
        ...outcome,
      },
    ])
  const result = await work().catch(async (thrown: unknown) => {
    // Why it failed is told in any case; in a transaction that Postgres has given up nothing can be recorded.
    await recordAs(failureOf(toRelayError(thrown))).catch(() => undefined)
    throw thrown
  })
  await recordAs({ status: 'done', errorCode: null, errorText: null })
  return result
}

type ActionOutcome = Pick<AdminAction, 'status' | 'errorCode' | 'errorText'>

/** How an action that failed is recorded. */
export function failureOf({ outcome, code, message }: RelayError): ActionOutcome {
  return { status: outcome === 'rejected' ? 'rejected' : 'failed', errorCode: code, errorText: message }
}
