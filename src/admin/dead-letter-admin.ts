import { type AdminAction, addAdminActions } from '../audit/admin-actions.js'
import { discardLetters, type LetterLabel } from '../trigger/resolve-dead-letters.js'
import type { AdminContext } from './adapter-admin.js'

type Context = Pick<AdminContext, 'database' | 'actor'>

/** Postgres has room for some thousand locks. */
const DISCARDED_AT_ONCE = 200

/**
 * Discards letters, each with a row in the audit log.
 * @returns how many; the rest is being replayed, or others were quicker
 */
export async function discardDeadLetters(
  { database, actor }: Context,
  ids: readonly string[],
  reason: string,
): Promise<number> {
  let discarded = 0
  for (let start = 0; start < ids.length; start += DISCARDED_AT_ONCE) {
    const some = ids.slice(start, start + DISCARDED_AT_ONCE)
    discarded += await database.transaction(async (session) => {
      const startedAt = performance.now()
      const letters = await discardLetters(session, some, actor, reason)
      const durationMs = (performance.now() - startedAt) / letters.length
      const done = { status: 'done', errorCode: null, errorText: null, durationMs } as const
      await addAdminActions(
        session,
        letters.map((label) => ({
          ...actionOn(label, actor, { reason }),
          ...done,
          operation: 'dead-letter.discard',
        })),
      )
      return letters.length
    })
  }
  return discarded
}

/** The request id is that of the message, so that a trace of it tells what became of the letter. */
export function actionOn(
  { id, triggerName, topic, ...label }: LetterLabel,
  actor: string,
  details: Record<string, unknown>,
): Omit<AdminAction, 'operation' | 'status' | 'errorCode' | 'errorText' | 'durationMs'> {
  return {
    ...label,
    actor,
    destination: topic,
    receipt: null,
    request: JSON.stringify({ deadLetter: id, trigger: triggerName, ...details }),
  }
}
