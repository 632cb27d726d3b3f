import { type Static, Type } from 'typebox'
import { settingsInvalid } from '../settings.js'

const milliseconds = (title: string, description: string, bounds: [number, number, number]) =>
  Type.Integer({
    title,
    description,
    unit: 'ms',
    default: bounds[1],
    minimum: bounds[0],
    maximum: bounds[2],
  })

const DAY_MS = 86_400_000

/** How messages are received; the group, its topics and what becomes of messages is said by who subscribes. */
export const consumerSchema = Type.Object(
  {
    concurrency: Type.Integer({
      title: 'Handlers at a time',
      description:
        'Messages, or batches of them, that one subscription handles side by side, over all partitions.',
      unit: 'handlers',
      default: 20,
      minimum: 1,
      maximum: 1000,
    }),
    batchSize: Type.Integer({
      title: 'Batch size',
      description: 'Most messages of a partition that are handed over together.',
      unit: 'messages',
      default: 1,
      minimum: 1,
      maximum: 10_000,
    }),
    initialPosition: Type.Enum(['latest', 'earliest'], {
      title: 'Initial position',
      description:
        'Where a partition begins of which the group has no offset, or one that is out of range, unless the subscription says so itself.',
      default: 'latest',
    }),
    isolationLevel: Type.Enum(['read-committed', 'read-uncommitted'], {
      title: 'Isolation level',
      description:
        'read-committed: messages of transactions are received once these are committed, never those of an aborted one. read-uncommitted: all, at once.',
      default: 'read-committed',
    }),
    strategy: Type.Enum(['range', 'roundRobin'], {
      title: 'Rebalance strategy',
      description:
        'How the members of a group share the partitions: each its range of every topic, or one after the other in turn. The other one is offered too, so that the members of a group need not change at the same moment.',
      default: 'range',
    }),
    sessionTimeoutMs: milliseconds(
      'Session timeout',
      'A member that is silent for so long has left its group. The brokers bound it by group.min.session.timeout.ms and group.max.session.timeout.ms.',
      [1000, 10_000, 1_800_000],
    ),
    heartbeatIntervalMs: milliseconds(
      'Heartbeat interval',
      'How often a member shows that it lives, and hears that its group is sharing out anew. Below the session timeout, a third of it at best.',
      [100, 3000, 600_000],
    ),
    rebalanceTimeoutMs: milliseconds(
      'Rebalance timeout',
      'How long the members have to join when the partitions are shared out anew. Handlers under way are waited for up to half of it, 10 s at most.',
      [1000, 60_000, DAY_MS],
    ),
    rebalanceRetries: Type.Integer({
      title: 'Rebalance retries',
      description:
        'How often joining is tried again for a passing reason before a subscription that begins is given up. Once a member, it tries on for ever.',
      unit: 'times',
      default: 4,
      minimum: 0,
      maximum: 1000,
    }),
    rebalanceBackoffMs: milliseconds(
      'Rebalance back-off',
      'Pause before joining is tried again.',
      [10, 2000, 600_000],
    ),
    requestTimeoutMs: milliseconds(
      'Request timeout',
      'Longest time to wait for the answer to one request of a consumer.',
      [100, 30_000, 300_000],
    ),
    retryBackoffMs: milliseconds(
      'Retry back-off',
      'Pause before what failed is asked again. The first time in a row it is 100 ms at most, as a partition that has just moved is soon found.',
      [10, 2000, 600_000],
    ),
    fetchMinBytes: Type.Integer({
      title: 'Smallest fetch',
      description: 'A broker that has less waits for more, up to the fetch wait.',
      unit: 'bytes',
      default: 1,
      minimum: 1,
      maximum: 1024 * 1024 * 1024,
    }),
    partitionFetchBytes: Type.Integer({
      title: 'Fetch of a partition',
      description:
        'Most bytes fetched of one partition at a time, and how many wait in memory before more is fetched. A larger message is received all the same.',
      unit: 'bytes',
      default: 1024 * 1024,
      minimum: 1,
      maximum: 1024 * 1024 * 1024,
    }),
    fetchMaxBytes: Type.Integer({
      title: 'Largest fetch',
      description:
        'Most bytes in one answer of a broker. 0: no limit but memory, of which a subscription takes 64 MiB for messages that wait.',
      unit: 'bytes',
      default: 0,
      minimum: 0,
      maximum: 1024 * 1024 * 1024,
    }),
    fetchWaitMs: milliseconds(
      'Fetch wait',
      'How long a broker waits for messages to come.',
      [1, 250, 60_000],
    ),
    autoCommitIntervalMs: milliseconds(
      'Commit interval',
      'How often the offsets of what is consumed are committed; also done when partitions are given up.',
      [10, 1000, 600_000],
    ),
    properties: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        title: 'Consumer properties',
        description:
          "Settings by the names of Kafka's Java consumer, such as fetch.min.bytes. A setting given by its own name above wins. Names that cannot be honoured are refused; docs/kafka-settings.md lists both kinds.",
      }),
    ),
  },
  { title: 'Consumer', default: {}, additionalProperties: false },
)

export type ConsumerSettings = Omit<Static<typeof consumerSchema>, 'properties'>

/** @throws RelayError SETTINGS_INVALID naming both of two settings that contradict each other */
export function checkConsumer(consumer: ConsumerSettings): void {
  const { heartbeatIntervalMs, sessionTimeoutMs, rebalanceTimeoutMs, fetchWaitMs, requestTimeoutMs } =
    consumer
  const { fetchMinBytes, fetchMaxBytes } = consumer
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    throw settingsInvalid(
      `consumer.heartbeatIntervalMs ${heartbeatIntervalMs} is not below consumer.sessionTimeoutMs ${sessionTimeoutMs}: the member would be taken for dead between two heartbeats; lower it to a third, or raise consumer.sessionTimeoutMs`,
    )
  }
  if (heartbeatIntervalMs >= rebalanceTimeoutMs) {
    throw settingsInvalid(
      `consumer.heartbeatIntervalMs ${heartbeatIntervalMs} is not below consumer.rebalanceTimeoutMs ${rebalanceTimeoutMs}: the member would hear too late that its group is sharing out anew; lower it, or raise consumer.rebalanceTimeoutMs`,
    )
  }
  if (fetchWaitMs >= requestTimeoutMs) {
    throw settingsInvalid(
      `consumer.fetchWaitMs ${fetchWaitMs} is not below consumer.requestTimeoutMs ${requestTimeoutMs}: a fetch that waits would be given up; lower it, or raise consumer.requestTimeoutMs`,
    )
  }
  if (fetchMaxBytes > 0 && fetchMaxBytes < fetchMinBytes) {
    throw settingsInvalid(
      `consumer.fetchMaxBytes ${fetchMaxBytes} is below consumer.fetchMinBytes ${fetchMinBytes}: brokers would always wait in vain; raise it, or lower consumer.fetchMinBytes`,
    )
  }
}
