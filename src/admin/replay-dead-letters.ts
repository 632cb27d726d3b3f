import { addAdminActions } from '../audit/admin-actions.js'
import { RateLimit } from '../brokers/rate-limit.js'
import { messageOf, RelayError, toRelayError } from '../core/errors.js'
import { type Session, withSession } from '../db/session.js'
import type { DeadLetter } from '../trigger/dead-letter.js'
import { inboundOf } from '../trigger/dead-letters.js'
import {
  type ClaimedLetter,
  claimLetter,
  releaseLetters,
  resolveReplayed,
} from '../trigger/resolve-dead-letters.js'
import type { TriggerHandler } from '../trigger/run-trigger.js'
import type { Trigger } from '../trigger/trigger.js'
import type { TriggerOutcome } from '../trigger/trigger-outcome.js'
import { triggers } from '../trigger/triggers.js'
import type { AdminContext } from './adapter-admin.js'
import { failureOf } from './audited.js'
import { actionOn } from './dead-letter-admin.js'

/** Letters in hand at a time: enough to keep the engine busy and records together. */
const AT_ONCE = 16
const LOCK_TIMEOUT_MS = 5000
const DONE = { status: 'done', errorCode: null, errorText: null } as const

/** What became of one letter. */
export type Replayed =
  | { id: string; kind: 'replayed'; outcome: TriggerOutcome }
  /** It waits on, with this reason. */
  | { id: string; kind: 'failed'; error: RelayError }
  /** Somebody else was quicker, or has it in hand. */
  | { id: string; kind: 'gone' }
  /** There is no trigger any more to give it to. */
  | { id: string; kind: 'orphaned'; trigger: string }

export interface ReplayRequest {
  /** In their order. */
  ids: readonly string[]
  /** Undefined: as fast as they are handled. */
  perSecond: number | undefined
  /** Aborted: no further letter is begun with. */
  signal: AbortSignal
  onEnd(replayed: Replayed): void
}

/**
 * Gives letters to their triggers as those are now, whether they run or not. Letters whose messages keep an order do so
 * here. Stops at the first error that is no fault of a letter, once those in hand have ended.
 * @throws RelayError that one
 */
export async function replayDeadLetters(
  { database, actor }: Pick<AdminContext, 'database' | 'actor'>,
  handler: Pick<TriggerHandler, 'replay'>,
  { ids, perSecond, signal, onEnd }: ReplayRequest,
): Promise<void> {
  const rate = perSecond === undefined ? undefined : new RateLimit(perSecond)
  const known = await triggers(database)
  const inHand = new Set<Promise<void>>()
  /** The last letter of each order that is kept. */
  const lastOf = new Map<string, Promise<void>>()
  /** Still locked. */
  const ended: string[] = []
  let fault: RelayError | undefined

  const replay = async ({ letter, label }: ClaimedLetter, trigger: Trigger): Promise<void> => {
    const { id, attempts } = letter
    const startedAt = performance.now()
    const action = {
      ...actionOn(label, actor, { attempt: attempts + 1 }),
      operation: 'dead-letter.replay',
    } as const
    const outcome = await handler.replay(trigger, inboundOf(letter), async (session, ended) => {
      const result = ended.kind === 'failed' ? failureOf(ended.error) : DONE
      await resolveReplayed(session, id, actor, ended)
      await addAdminActions(session, [{ ...action, ...result, durationMs: performance.now() - startedAt }])
    })
    onEnd(
      outcome.kind === 'failed'
        ? { id, kind: 'failed', error: outcome.error }
        : { id, kind: 'replayed', outcome },
    )
  }

  const handle = async (claimed: ClaimedLetter, trigger: Trigger, before?: Promise<void>): Promise<void> => {
    try {
      await before
      if (!fault) await replay(claimed, trigger)
    } catch (thrown) {
      fault ??= toRelayError(thrown)
    }
    ended.push(claimed.letter.id)
  }

  const handOut = async (session: Session): Promise<void> => {
    for (const id of ids) {
      await rate?.turn(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
      if (inHand.size >= AT_ONCE) await Promise.race(inHand)
      if (fault || signal.aborted) break
      await releaseLetters(session, ended.splice(0))
      const claimed = await claimLetter(session, id)
      const trigger = claimed && triggerOf(claimed.letter, known)
      if (!claimed) onEnd({ id, kind: 'gone' })
      else if (!trigger) {
        ended.push(id)
        onEnd({ id, kind: 'orphaned', trigger: claimed.letter.triggerName })
      } else {
        const order = orderOf(claimed.letter, trigger)
        const handled = handle(claimed, trigger, order === undefined ? undefined : lastOf.get(order))
        if (order !== undefined) lastOf.set(order, handled)
        inHand.add(handled)
        void handled.then(() => inHand.delete(handled))
      }
    }
  }

  try {
    await withSession(database.url, LOCK_TIMEOUT_MS, async (session) => {
      // The locks stay until the last has ended, whatever happens.
      await handOut(session).finally(() => Promise.all(inHand))
    })
  } catch (cause) {
    fault ??= new RelayError(
      'DATABASE_AWAY',
      `the connection to Postgres that keeps letters from others cannot be used: ${messageOf(cause)}`,
      { cause },
    )
  }
  if (fault) throw fault
}

/** The one of the same name where it was deleted and made anew. */
function triggerOf({ triggerId, triggerName }: DeadLetter, known: readonly Trigger[]): Trigger | undefined {
  return known.find(({ id }) => id === triggerId) ?? known.find(({ name }) => name === triggerName)
}

/** What letters share that must be handled one after the other; undefined: none. */
function orderOf(letter: DeadLetter, { id, order }: Trigger): string | undefined {
  const { topic, partition, broker, key, messageGroup } = letter
  switch (order) {
    case 'none':
      return undefined
    case 'key': {
      const shared = messageGroup ?? key?.toString('base64')
      return shared === undefined ? undefined : JSON.stringify([id, topic, shared])
    }
    case 'queue':
      return JSON.stringify([id, topic, partition, broker])
  }
}
