import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { LocalServer } from '../../src/stack/local-server.js'
import { type LocalRocketmq, startRocketmq, startRocketmqBroker } from '../../src/stack/rocketmq.js'

export interface OwnRocketmq {
  nameServer: string
  /** Of the gRPC proxy, `host:port`. */
  proxyEndpoint: string
  /** End one part as a crash would. The proxy runs in the process of the broker. */
  killBroker(): Promise<void>
  killNameServer(): Promise<void>
  /** Starts what was killed, with what it had and at the same address. */
  restart(): Promise<void>
  /** One more broker under the same name server. */
  startBroker(brokerName: string): Promise<LocalServer>
  /** Ends it for good. */
  stop(): Promise<void>
}

/** A RocketMQ of a test's own, which may be killed. */
export async function ownRocketmq(): Promise<OwnRocketmq> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'own-rocketmq-'))
  const start = () => startRocketmq({ folder, onProgress: () => undefined })
  let newest: LocalRocketmq = await start()
  const held: LocalServer[] = [newest]
  const { nameServer } = newest
  return {
    nameServer,
    proxyEndpoint: newest.proxyEndpoint,
    killBroker: () => newest.killBroker(),
    killNameServer: () => newest.killNameServer(),
    async restart() {
      newest = await start()
      held.push(newest)
    },
    async startBroker(brokerName) {
      const options = { folder: path.join(folder, brokerName), onProgress: () => undefined }
      const broker = await startRocketmqBroker(options, nameServer, { brokerName })
      held.push(broker)
      return broker
    },
    async stop() {
      await Promise.all(held.map((each) => each.stop()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
