import { randomUUID } from 'node:crypto'
import kafkajs, { type EachBatchPayload, type KafkaMessage, type PartitionAssigner } from 'kafkajs'
import { messageOf, RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { withTimeLimit } from '../../core/time-limit.js'
import type { HeaderValue } from '../broker.js'
import { type ConsumedMessage, type ConsumeRequest, offsetOutside } from '../operator.js'
import type { AdminSession } from './admin-session.js'
import type { KafkaClients } from './client.js'
import { judge } from './errors.js'
import type { KafkaSettings } from './settings.js'

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
const NO_USER_DATA = Buffer.alloc(0)
/** Longest wait for leaving the group; the broker drops a silent member by itself. */
const LEAVE_MS = 5000

interface Range {
  /** Of the first message to hand over. */
  start: bigint
  /** Behind the last message there was at the start. */
  end: bigint
}

export interface Consumption {
  request: ConsumeRequest
  /** Of the topic. */
  partitions: number[]
  onMessage: (message: ConsumedMessage) => Promise<void>
  ask: AdminSession['ask']
  clients: KafkaClients
  settings: KafkaSettings
  log: Log
}

/**
 * kafkajs reads in consumer groups only: this one is made for one call, commits nothing, has its partitions assigned
 * by itself, and is deleted afterwards.
 */
export async function consume(consumption: Consumption): Promise<void> {
  const { request, onMessage, ask, clients, settings, log } = consumption
  const { topic, follow, signal, max = Number.POSITIVE_INFINITY } = request
  const ranges = await rangesOf(consumption)
  const left = new Map([...ranges].filter(([, { start, end }]) => follow || start < end))
  if (left.size === 0 || signal.aborted) return

  const groupId = `bpmn-relay-consume-${randomUUID()}`
  const client = clients.open()
  const consumer = client.kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    // Leaving waits for the fetch in flight, which the broker may keep this long for messages to come.
    maxWaitTimeInMs: 500,
    partitionAssigners: [toOneMember(topic, [...left.keys()])],
    // Only a reader that waits for more has a reason to start again after a failure.
    retry: { restartOnFailure: async () => follow },
  })
  const positions = new Map([...left].map(([partition, { start }]) => [partition, start]))
  let count = 0
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (thrown: unknown) => reject(judge(thrown, `reading topic ${topic}`, settings).error)
      signal.addEventListener('abort', () => resolve(), { once: true })
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) fail(payload.error)
      })
      // Before the first fetch after every join: nothing is committed that a restart could go on from.
      consumer.on(consumer.events.GROUP_JOIN, () => {
        for (const [partition, offset] of positions) {
          consumer.seek({ topic, partition, offset: String(offset) })
        }
      })
      const passed = (partition: number, lastOffset: string) => {
        positions.set(partition, BigInt(lastOffset) + 1n)
        const range = left.get(partition)
        if (follow || !range || BigInt(lastOffset) + 1n < range.end) return
        left.delete(partition)
        if (left.size === 0) resolve()
      }
      // Batches of nothing but control records reach no handler.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        if (payload.batchSize === 0) passed(payload.partition, payload.lastOffset)
      })
      const take = async (partition: number, message: KafkaMessage) => {
        const offset = BigInt(message.offset)
        const range = ranges.get(partition)
        const isWanted = range && offset >= range.start && (follow || offset < range.end)
        if (!isWanted || signal.aborted || count >= max) return
        positions.set(partition, offset + 1n)
        await onMessage(consumedMessage(topic, partition, message))
        if (++count === max) resolve()
      }
      const takeAll = async ({ batch, isStale, heartbeat }: EachBatchPayload) => {
        for (const message of batch.messages) {
          // Fetched before a seek to elsewhere: what is left of it comes again from there.
          if (isStale()) return
          await take(batch.partition, message)
          await heartbeat()
        }
        passed(batch.partition, batch.lastOffset())
      }
      consumer
        .connect()
        .then(() => consumer.subscribe({ topic }))
        .then(() => consumer.run({ autoCommit: false, eachBatch: takeAll }))
        .catch(fail)
    })
  } finally {
    const leaving = withTimeLimit(consumer.disconnect(), LEAVE_MS, () => new Error('no answer'))
    await leaving
      .then(() => ask(`deleting consumer group ${groupId}`, (admin) => admin.deleteGroups([groupId])))
      // The broker forgets by itself a group that is empty and has committed nothing.
      .catch((error: unknown) =>
        log.debug('a consumer group stays behind', { groupId, reason: messageOf(error) }),
      )
    client.cut('closed')
  }
}

async function rangesOf({ request, partitions, ask }: Consumption): Promise<Map<number, Range>> {
  const { topic, from, partition: chosen } = request
  if (chosen !== undefined && !partitions.includes(chosen)) {
    throw new RelayError(
      'PARTITION_UNKNOWN',
      `topic ${topic} has no partition ${chosen}: use 0 to ${partitions.length - 1}, or none to read all`,
    )
  }
  const doing = `reading the offsets of topic ${topic}`
  const bounds = await ask(doing, (admin) => admin.fetchTopicOffsets(topic))
  const byTime = new Map<number, string>()
  if (from.at === 'time') {
    const found = await ask(doing, (admin) => admin.fetchTopicOffsetsByTimestamp(topic, from.time))
    for (const { partition, offset } of found) byTime.set(partition, offset)
  }
  const ranges = new Map<number, Range>()
  for (const { partition, low, high } of bounds) {
    if (chosen !== undefined && partition !== chosen) continue
    const end = BigInt(high)
    const start = () => {
      switch (from.at) {
        case 'earliest':
          return BigInt(low)
        case 'latest':
          return end
        case 'offset':
          return offsetWithin(
            BigInt(from.offset),
            BigInt(low),
            end,
            `partition ${partition} of topic ${topic}`,
          )
        case 'time':
          return BigInt(byTime.get(partition) ?? high)
      }
    }
    ranges.set(partition, { start: start(), end })
  }
  return ranges
}

function offsetWithin(offset: bigint, low: bigint, end: bigint, what: string): bigint {
  if (offset >= low && offset <= end) return offset
  throw offsetOutside(offset, what, low, end)
}

/** The group has one member: it gets the partitions that are to be read, and no others. */
function toOneMember(topic: string, partitions: number[]): PartitionAssigner {
  const name = 'bpmn-relay-consume'
  const memberAssignment = MemberAssignment.encode({
    version: 1,
    assignment: { [topic]: partitions },
    userData: NO_USER_DATA,
  })
  return () => ({
    name,
    version: 1,
    assign: async ({ members }) => members.map(({ memberId }) => ({ memberId, memberAssignment })),
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({ version: 1, topics, userData: NO_USER_DATA }),
    }),
  })
}

function consumedMessage(topic: string, partition: number, message: KafkaMessage): ConsumedMessage {
  const { offset, timestamp, key, value, headers } = message
  const known: Record<string, HeaderValue> = {}
  for (const [name, header] of Object.entries(headers ?? {})) if (header !== undefined) known[name] = header
  return { topic, partition, offset, timestamp: Number(timestamp), key, value, headers: known }
}
