import { randomUUID } from 'node:crypto'
import { type Static, Type } from 'typebox'
import type { Bench } from '../benchmark.js'
import { Child } from '../child.js'
import { auditRowsOf, emptyRecords } from '../database.js'
import { type RelayLoad, Sent } from '../loads.js'

/** The broker a road leads to. */
export interface Destination<RawLoad> {
  taskType: string
  startRaw(): Promise<Raw<RawLoad>>
  /** Resolves when the topics are ready to be written. */
  createTopics(names: readonly string[], partitions: number): Promise<void>
  deleteTopics(names: readonly string[]): Promise<void>
  messagesIn(names: readonly string[]): Promise<number>
}

/** A client library alone, in a process of its own. */
export interface Raw<Load> {
  send(load: Load): Promise<Static<typeof Sent>>
  stop(): Promise<void>
}

/** bpmn-relay on jobs from memory, and the client library alone beside it. */
export interface Road<RawLoad> {
  relay(load: Static<typeof RelayLoad>): Promise<Static<typeof Sent>>
  relayHeapMiB(): Promise<number>
  raw(load: RawLoad): Promise<Static<typeof Sent>>
  newTopics(count: number, partitions: number): Promise<RoadTopics>
  /** A figure counts only if each job left exactly one message and, if it was to, one audit row. */
  checkArrived(topics: RoadTopics, jobs: number, audited?: number): Promise<void>
}

/** Topics for one measurement: what bpmn-relay writes and what the client library writes, apart. */
export interface RoadTopics {
  relay: string[]
  raw: string[]
}

/** Measures with new processes on new topics; afterwards both are gone, and the audit log and the ledger empty. */
export async function withRoad<RawLoad>(
  destination: Destination<RawLoad>,
  { databaseUrl }: Bench,
  maxInFlight: number,
  measure: (road: Road<RawLoad>) => Promise<void>,
): Promise<void> {
  const made: string[] = []
  const [relay, raw] = await Promise.all([
    Child.start('road-relay', { databaseUrl, taskType: destination.taskType, maxInFlight }),
    destination.startRaw(),
  ])
  try {
    await measure({
      relay: (load) => relay.ask(load, Sent),
      relayHeapMiB: () => relay.ask({ heap: true }, Type.Number()),
      raw: (load) => raw.send(load),
      async newTopics(count, partitions) {
        const names = () => Array.from({ length: count }, () => `bench-road-${randomUUID()}`)
        const topics = { relay: names(), raw: names() }
        made.push(...topics.relay, ...topics.raw)
        await destination.createTopics([...topics.relay, ...topics.raw], partitions)
        return topics
      },
      async checkArrived(topics, jobs, audited = jobs) {
        const messages = await destination.messagesIn(topics.relay)
        const rows = await auditRowsOf(databaseUrl, topics.relay)
        if (messages === jobs && rows === audited) return
        throw new Error(
          `${jobs} jobs were completed, ${audited} of them audited, but ${messages} messages and ${rows} audit rows are there`,
        )
      },
    })
  } finally {
    // First: kafkajs clients do not get over it when a topic they have written to is gone.
    await Promise.all([relay.stop(), raw.stop()])
    await destination.deleteTopics(made)
    await emptyRecords(databaseUrl)
  }
}

export function perSecond({ messages, seconds }: Static<typeof Sent>): number {
  return messages / seconds
}
