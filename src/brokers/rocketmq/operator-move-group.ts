import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { type GroupMove, type GroupMoveRequest, groupActive, offsetOutside } from '../operator.js'
import { ConsumerClient } from './consume/consumer-client.js'
import { GroupOffsets } from './consume/group-offsets.js'
import { QueueRequests, type ReadQueue } from './consume/queue-requests.js'
import { ReadRoutes } from './consume/read-routes.js'
import { membersOfGroup } from './operator-groups.js'
import { serverName } from './operator-names.js'
import type { OperatorSession } from './operator-session.js'

/** `moveGroup` of the port, over remoting. @throws RelayError NOT_FOUND when there is no such group, besides */
export async function moveGroup(
  { group, topics, to, partitions }: GroupMoveRequest,
  session: OperatorSession,
  log: Log,
): Promise<GroupMove[]> {
  const { settings } = session
  const members = await membersOfGroup(session, group)
  if (members > 0) throw groupActive(group, members)
  const client = new ConsumerClient(settings, serverName(group, settings), log)
  try {
    const requests = new QueueRequests(client)
    const routes = new ReadRoutes(requests, log)
    const addressOf = (queue: ReadQueue) => routes.addressOf(queue)
    const offsets = new GroupOffsets({
      requests,
      isShared: true,
      fromOf: () => ({ at: 'latest' }),
      addressOf,
    })
    const found: { topic: string; queue: ReadQueue; previous: bigint | undefined; offset: bigint }[] = []
    for (const topic of topics) {
      const name = serverName(topic, settings)
      await routes.require([name])
      for (const queue of chosen(topic, routes.known.get(name)?.queues ?? [], partitions)) {
        const offset = await offsets.offsetFor(to, queue)
        if (to.at === 'offset') await checkWithin(topic, queue, offset, requests, addressOf(queue))
        found.push({ topic, queue, previous: await requests.committed(addressOf(queue), queue), offset })
      }
    }
    for (const { queue, offset } of found) await requests.commit(addressOf(queue), queue, offset)
    return found.map(({ topic, queue: { broker, id }, previous, offset }) => ({
      ...{ topic, broker, partition: id },
      ...{ previous: previous?.toString() ?? null, offset: String(offset) },
    }))
  } finally {
    await client.close()
  }
}

function chosen(
  topic: string,
  queues: readonly ReadQueue[],
  partitions: readonly number[] | undefined,
): readonly ReadQueue[] {
  const unknown = partitions?.find((partition) => !queues.some(({ id }) => id === partition))
  if (unknown !== undefined) {
    throw new RelayError(
      'PARTITION_UNKNOWN',
      `topic ${topic} has no readable queue ${unknown}: use one of ${[...new Set(queues.map(({ id }) => id))].join(', ')}`,
    )
  }
  return partitions ? queues.filter(({ id }) => partitions.includes(id)) : queues
}

async function checkWithin(
  topic: string,
  queue: ReadQueue,
  offset: bigint,
  requests: QueueRequests,
  address: string,
): Promise<void> {
  const [first, end] = await Promise.all([
    requests.firstOffset(address, queue),
    requests.endOffset(address, queue),
  ])
  if (offset >= first && offset <= end) return
  throw offsetOutside(offset, `queue ${queue.id} of topic ${topic} on broker ${queue.broker}`, first, end)
}
