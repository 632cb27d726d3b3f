import type { AdapterConsumer } from '../adapters/directory.js'
import type { BrokerOperator } from '../brokers/operator.js'
import { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { Database } from '../db/database.js'
import { type Session, withSession } from '../db/session.js'
import type { GroupMove, Trigger } from './trigger.js'
import { movesDone } from './triggers.js'

const LOCK_TIMEOUT_MS = 3000
/** With the trigger's hash, the key of the lock that whoever moves its group holds. */
const MOVES_LOCK = 4_771_902

/**
 * Makes the moves that a trigger's group still waits for; its members must have left. The ledger forgets what lies in the
 * moved partitions: who moves back wants it handled again. Made a second time after a crash they do no harm, as nobody has
 * consumed meanwhile. An offset that its partition does not hold is the trigger's `initialOffset` instead.
 * @returns false while another worker is at it, or when the trigger has changed meanwhile
 * @throws RelayError while the group has members
 */
export async function makeMoves(
  database: Pick<Database, 'url'>,
  trigger: Trigger,
  consumer: AdapterConsumer,
  topics: readonly string[],
  log: Log,
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
      const { moveGroup } = operator
      if (!moveGroup) {
        const instead = operator.insteadOfMissing ?? "use the broker's own tools"
        throw new RelayError('NOT_SUPPORTED', `offsets of groups cannot be moved from here: ${instead}`)
      }
      for (const move of trigger.pendingMoves) {
        for (const single of singles(move, topics)) {
          await forget(session, trigger, await moved(moveGroup, trigger, single, log))
        }
      }
      return await movesDone(session, trigger.id, trigger.revision)
    } finally {
      await operator.close()
    }
  })
}

type MoveGroup = NonNullable<BrokerOperator['moveGroup']>
type MovedPartition = Awaited<ReturnType<MoveGroup>>[number]

interface SingleMove extends Pick<GroupMove, 'to' | 'partitions'> {
  topics: readonly string[]
}

/** An offset may be there in one partition and not in another: each by itself. */
function singles({ to, topic, partitions }: GroupMove, all: readonly string[]): SingleMove[] {
  const topics = topic === undefined ? all : [topic]
  if (to.at !== 'offset' || partitions === undefined) return [{ to, topics, partitions }]
  return topics.flatMap((each) =>
    partitions.map((partition) => ({ to, topics: [each], partitions: [partition] })),
  )
}

async function moved(
  moveGroup: MoveGroup,
  { name, group, initialOffset }: Trigger,
  { to, topics, partitions }: SingleMove,
  log: Log,
): Promise<MovedPartition[]> {
  try {
    return await moveGroup({ group, topics, to, partitions })
  } catch (error) {
    const isAbsent = error instanceof RelayError && error.code === 'INPUT_INVALID'
    if (to.at !== 'offset' || !isAbsent) throw error
    log.warn('the group cannot go on at this offset', {
      ...{ trigger: name, reason: error.message, instead: initialOffset },
    })
    return await moveGroup({ group, topics, to: { at: initialOffset }, partitions })
  }
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
