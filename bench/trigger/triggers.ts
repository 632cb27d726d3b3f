import { randomBytes } from 'node:crypto'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { silentLog } from '../../src/core/log.js'
import type { TriggerAction } from '../../src/trigger/trigger.js'
import { loadTriggerAdapters } from '../../src/trigger/trigger-adapters.js'
import { createTrigger, deleteTrigger } from '../../src/trigger/triggers.js'
import type { Bench } from '../benchmark.js'
import { Child } from '../child.js'
import { KAFKA_ADAPTER, onWorkbench } from '../database.js'
import { Sent } from '../loads.js'
import { Measured } from '../measure.js'

export const BYTES = 400
const PER_SEND = 500

/** A worker whose trigger consumes when it is told to, and who fills its topic. */
export interface TriggerRun {
  /** Puts so many messages into the topic, none of which is consumed yet. */
  fill(topic: string, messages: number): Promise<void>
  /** Until the records of so many messages are durable. */
  consume(messages: number): Promise<Static<typeof Measured>>
  heapMiB(): Promise<number>
  stop(): Promise<void>
}

/** @param topic is there already; all of it is consumed. */
export async function startTrigger(
  { servers, databaseUrl }: Bench,
  topic: string,
  action: (adapterId: (name: string) => Promise<string>) => Promise<TriggerAction>,
  concurrency: number,
): Promise<TriggerRun> {
  const name = `bench-${randomBytes(4).toString('hex')}`
  await onWorkbench(databaseUrl, async ({ database, store, registry, secrets }) => {
    const adapterId = async (of: string) => (await store.adapter(of)).id
    const given = {
      name,
      adapterId: await adapterId(KAFKA_ADAPTER),
      topics: [topic],
      action: await action(adapterId),
      concurrency,
      initialOffset: 'earliest' as const,
      state: 'paused' as const,
    }
    const adapters = await loadTriggerAdapters({ store, registry, secrets, log: silentLog })
    await createTrigger(database, given, adapters)
  })
  const { bootstrapServers } = servers.kafka
  const [relay, source] = await Promise.all([
    Child.start('trigger-relay', { address: servers.zeebe.address, databaseUrl }),
    Child.start('road-raw', { bootstrapServers }),
  ])
  return {
    async fill(to, messages) {
      const load = { topics: [to], bytes: BYTES, keyed: true, compression: 'none', isPlain: false }
      await source.ask({ ...load, perSend: PER_SEND, sends: 1, limit: { messages } }, Sent)
    },
    consume: (messages) => relay.ask({ trigger: name, messages }, Measured),
    heapMiB: () => relay.ask({ heap: true }, Type.Number()),
    async stop() {
      await Promise.all([relay.stop(), source.stop()])
      // The workers of later parts would look for its topic, which goes now.
      await onWorkbench(databaseUrl, ({ database }) => deleteTrigger(database, name))
    },
  }
}
