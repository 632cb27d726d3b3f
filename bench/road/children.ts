import { randomUUID } from 'node:crypto'
import { type Static, Type } from 'typebox'
import type { Bench } from '../benchmark.js'
import { Child } from '../child.js'
import { auditRowsOf, emptyRecords } from '../database.js'
import { type RawLoad, type RelayLoad, Sent } from '../loads.js'
import { createTopics, deleteTopics, messagesIn } from '../topics.js'

/** kafkajs at its best: so many messages a send, one send after the other. */
const RAW_MESSAGES = 500
/** Of one partition in one send: what topics take by default, 1,048,588, and room for what records add. */
const RAW_PARTITION_BYTES = 900_000

/** bpmn-relay on jobs from memory, and kafkajs alone beside it. */
export interface Road {
  relay(load: Static<typeof RelayLoad>): Promise<Static<typeof Sent>>
  relayHeapMiB(): Promise<number>
  raw(load: Static<typeof RawLoad>): Promise<Static<typeof Sent>>
  newTopics(count: number, partitions: number): Promise<RoadTopics>
}

/** Topics for one measurement: what bpmn-relay writes and what kafkajs writes, apart. */
export interface RoadTopics {
  relay: string[]
  raw: string[]
}

/** Measures with new processes on new topics; afterwards both are gone, and the audit log and the ledger empty. */
export async function withRoad(
  bench: Bench,
  maxInFlight: number,
  measure: (road: Road) => Promise<void>,
): Promise<void> {
  const { databaseUrl } = bench
  const { bootstrapServers } = bench.servers.kafka
  const made: string[] = []
  const [relay, raw] = await Promise.all([
    Child.start('road-relay', { databaseUrl, maxInFlight }),
    Child.start('road-raw', { bootstrapServers }),
  ])
  try {
    await measure({
      relay: (load) => relay.ask(load, Sent),
      relayHeapMiB: () => relay.ask({ heap: true }, Type.Number()),
      raw: (load) => raw.ask(load, Sent),
      async newTopics(count, partitions) {
        const names = () => Array.from({ length: count }, () => `bench-road-${randomUUID()}`)
        const topics = { relay: names(), raw: names() }
        made.push(...topics.relay, ...topics.raw)
        await createTopics(bootstrapServers, [...topics.relay, ...topics.raw], partitions)
        return topics
      },
    })
  } finally {
    // First: kafkajs clients do not get over it when a topic they have written to is gone.
    await Promise.all([relay.stop(), raw.stop()])
    await deleteTopics(bootstrapServers, made)
    await emptyRecords(databaseUrl)
  }
}

/** Messages of one kafkajs send of values of this size: 500, or as many as the partitions take. */
export function rawPerSend(bytes: number, partitions: number): number {
  return Math.min(RAW_MESSAGES, Math.floor((partitions * RAW_PARTITION_BYTES) / bytes))
}

export function perSecond({ messages, seconds }: Static<typeof Sent>): number {
  return messages / seconds
}

/** A figure counts only if each job left exactly one message and one audit row. */
export async function checkArrived(bench: Bench, topics: readonly string[], jobs: number): Promise<void> {
  const messages = await messagesIn(bench.servers.kafka.bootstrapServers, topics)
  const rows = await auditRowsOf(bench.databaseUrl, topics)
  if (messages === jobs && rows === jobs) return
  throw new Error(`${jobs} jobs were completed, but ${messages} messages and ${rows} audit rows are there`)
}
