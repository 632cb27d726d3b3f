import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { type LocalKafka, startKafka } from '../../src/stack/kafka.js'

/** Settings of an adapter that is to notice within seconds that its broker is gone. */
export const QUICK_LIMITS = { connectionTimeoutMs: 1000, requestTimeoutMs: 3000 }

export interface OwnKafka {
  address: string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Starts it again, with what it had and at the same address. */
  restart(): Promise<void>
  /** Ends it for good. */
  stop(): Promise<void>
}

/** A Kafka of a test's own, which may be killed. @param properties of server.properties */
export async function ownKafka(properties: Record<string, string> = {}): Promise<OwnKafka> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'own-kafka-'))
  const start = () => startKafka({ folder, onProgress: () => undefined }, properties)
  let broker: LocalKafka = await start()
  return {
    address: broker.bootstrapServers,
    kill: () => broker.kill(),
    async restart() {
      broker = await start()
    },
    async stop() {
      await broker.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
