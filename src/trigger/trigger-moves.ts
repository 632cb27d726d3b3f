import type { AdapterConsumer } from '../adapters/directory.js'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import { type Session, withSession } from '../db/session.js'
import type { Trigger } from './trigger.js'
import { movesDone } from './triggers.js'

const LOCK_TIMEOUT_MS = 3000
/** With the trigger's hash, the key of the lock that whoever moves its group holds. */
const MOVES_LOCK = 4_771_902

/**
 * Makes the moves that a trigger's group still waits for; its members must have left. The ledger forgets what lies in the
 * moved partitions: who moves back wants it handled again. Made a second time after a crash they do no harm, as nobody has
 * consumed meanwhile.
 * @returns false while another worker is at it, or when the trigger has changed meanwhile
 * @throws RelayError while the group has members
 */
export async function makeMoves(
  database: Pick<Database, 'url'>,
  trigger: Trigger,
  consumer: AdapterConsumer,
  topics: readonly string[],
): Promise<boolean> {
  return await withSession(database.url, LOCK_TIMEOUT_MS, async (session) => {
    const [lock] = await session.query<{ isMine: boolean }>(
      'SELECT pg_try_advisory_lock($1, hashtext($2)) AS "isMine"',
      [MOVES_LOCK, trigger.id],
    )
    if (!lock?.isMine) return false
    // Another worker may have made them before this one heard of it.
    const unchanged = await session.query('SELECT FROM trigger WHERE id = $1 AND revision = $2', [
      trigger.id,
      trigger.revision,
    ])
    if (unchanged.length === 0) return false
    const operator = consumer.operate()
    try {
      if (!operator.moveGroup) {
        const instead = operator.insteadOfMissing ?? "use the broker's own tools"
        throw new RelayError('NOT_SUPPORTED', `offsets of groups cannot be moved from here: ${instead}`)
      }
      for (const move of trigger.pendingMoves) {
        const moved = move.topic === undefined ? topics : [move.topic]
        await forget(
          session,
          trigger,
          await operator.moveGroup(trigger.group, moved, move.to, move.partitions),
        )
      }
      return await movesDone(session, trigger.id, trigger.revision)
    } finally {
      await operator.close()
    }
  })
}

async function forget(
  session: Session,
  { id }: Trigger,
  moved: readonly { topic: string; partition: number }[],
): Promise<void> {
  await session.query(
    `DELETE FROM trigger_ledger AS entry USING unnest($2::text[], $3::int[]) AS moved(topic, partition)
     WHERE entry.trigger_id = $1 AND entry.topic = moved.topic AND entry.partition = moved.partition`,
    [id, moved.map(({ topic }) => topic), moved.map(({ partition }) => partition)],
  )
}
