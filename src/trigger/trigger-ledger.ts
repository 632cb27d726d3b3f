import type { InboundMessage } from '../brokers/subscription.js'
import { batching, type ItemResult, type Rest } from '../core/batching.js'
import type { Database } from '../db/database.js'
import { storable } from '../db/storable.js'
import { textArray } from '../db/text-array.js'
import { messageTime } from './give-up.js'
import type { Trigger } from './trigger.js'

/** A message as the ledger knows it. */
export interface LedgerEntry {
  triggerId: string
  messageId: string
  messageAt: Date
  topic: string
  partition: number
}

/** `open`: an earlier delivery began to wait for the process that it started, and nobody knows how that went on. */
export type Known = 'new' | 'handled' | 'open'

export interface TriggerLedger {
  /** Looks a message up; those that ask at the same moment share one statement. @throws RelayError DATABASE_AWAY */
  find(entry: LedgerEntry): Promise<Known>
  /** Notes that a new message is begun with. @throws RelayError DATABASE_AWAY */
  open(entry: LedgerEntry): Promise<void>
  /** Takes that back: nothing was done. @throws RelayError DATABASE_AWAY */
  forget(entry: LedgerEntry): Promise<void>
}

const MAX_LOOKUP = 1000
/** Longest rest between two statements, milliseconds. */
const REST_MS = 30
const MOST_COMPANY = 16

/**
 * How look-ups and records of messages wait for each other. The engine sets the pace, one instance after the other: without
 * a rest each message would have a look-up and a commit of its own. A quarter of those in hand is company enough, so that
 * one alone rests for nobody and the engine always has most of them.
 */
export function restOf(inHand: () => number): Rest {
  return { ms: REST_MS, company: () => Math.min(MOST_COMPANY, Math.ceil(inHand() / 4)) }
}

export function entryOf({ id }: Pick<Trigger, 'id'>, message: InboundMessage): LedgerEntry {
  const { topic, queue } = message
  return {
    triggerId: id,
    messageId: storable(message.id),
    messageAt: messageTime(message),
    topic: storable(topic),
    partition: queue.partition,
  }
}

/** @param inHand how many messages are being handled */
export function createTriggerLedger(database: Pick<Database, 'query'>, inHand: () => number): TriggerLedger {
  const lookups = batching<LedgerEntry, Known>(
    MAX_LOOKUP,
    async (entries) => {
      const rows = await database.query<{
        trigger_id: string
        message_id: string
        message_at: Date
        is_open: boolean
      }>(
        `SELECT trigger_id, message_id, message_at, is_open FROM trigger_ledger
       JOIN unnest($1::text[]::uuid[], $2::text[]) AS asked(trigger_id, message_id) USING (trigger_id, message_id)`,
        [
          textArray(entries.map(({ triggerId }) => triggerId)),
          textArray(entries.map(({ messageId }) => messageId)),
        ],
        'trigger-ledger-find',
      )
      const known = new Map(rows.map((row) => [`${row.trigger_id} ${row.message_id}`, row]))
      return entries.map(({ triggerId, messageId, messageAt }): ItemResult<Known> => {
        const row = known.get(`${triggerId} ${messageId}`)
        // A topic that was made anew repeats ids, but not times.
        const isKnown = row?.message_at.getTime() === messageAt.getTime()
        return { ok: true, value: isKnown ? (row?.is_open ? 'open' : 'handled') : 'new' }
      })
    },
    { rest: restOf(inHand) },
  )

  return {
    find: (entry) => lookups.add(entry),

    async open({ triggerId, messageId, messageAt, topic, partition }) {
      await database.query(
        `INSERT INTO trigger_ledger (trigger_id, message_id, message_at, topic, partition, is_open)
         VALUES ($1, $2, $3, $4, $5, true)
         ON CONFLICT (trigger_id, message_id) DO UPDATE SET
           (message_at, topic, partition, is_open, at) =
           (excluded.message_at, excluded.topic, excluded.partition, true, now())`,
        [triggerId, messageId, messageAt.toISOString(), topic, partition],
        'trigger-ledger-open',
      )
    },

    async forget({ triggerId, messageId }) {
      await database.query(
        'DELETE FROM trigger_ledger WHERE trigger_id = $1 AND message_id = $2 AND is_open',
        [triggerId, messageId],
        'trigger-ledger-forget',
      )
    },
  }
}
