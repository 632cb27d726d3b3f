import { mkdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { type HeldServer, holdServer } from './held-server.js'
import { type ServerProperties, waitUntilAnswering } from './kafka-broker.js'
import { kraftNode, newClusterId } from './kafka-kraft.js'
import type { StartOptions } from './local-server.js'
import { installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'

export interface LocalKafkaCluster {
  /** Of all brokers. */
  bootstrapServers: string
  /** Ends a broker as a crash would. The others go on while they are more than half of all. */
  kill(id: number): Promise<void>
  /** Brings a killed broker back, with its data and at its port. */
  restart(id: number): Promise<void>
  stop(): Promise<void>
}

/**
 * A Kafka of several KRaft nodes, each broker and controller, with ids from 1. By default every topic has a replica on
 * each broker and takes writes while at most one replica is missing.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED; then nothing is left running
 */
export async function startKafkaCluster(
  { folder: given, onProgress }: StartOptions,
  size: number,
  properties: ServerProperties = {},
): Promise<LocalKafkaCluster> {
  const installed = await installServer('kafka', onProgress)
  await mkdir(given, { recursive: true })
  const folder = await realpath(given)
  const ids = Array.from({ length: size }, (_, index) => index + 1)
  // Chosen together and once: every node must know the controllers of all, and comes back where it was.
  const ports = await choosePorts(
    folder,
    Object.fromEntries(ids.flatMap((id) => [`broker${id}`, `controller${id}`]).map((name) => [name, 1])),
  )
  const clusterId = newClusterId()
  const controllers = ids.map((id) => portOf(ports, `controller${id}`))
  const addressOf = (id: number) => `127.0.0.1:${portOf(ports, `broker${id}`)}`
  const replication = {
    'default.replication.factor': size,
    'min.insync.replicas': Math.max(size - 1, 1),
    'offsets.topic.replication.factor': size,
    'transaction.state.log.replication.factor': size,
    'transaction.state.log.min.isr': Math.max(size - 1, 1),
  }
  const running = new Map<number, HeldServer>()

  const start = async (id: number) => {
    const home = path.join(folder, `broker-${id}`)
    const server = await holdServer('kafka', home, async () => {
      const own = { broker: portOf(ports, `broker${id}`), controller: portOf(ports, `controller${id}`) }
      const node = { id, clusterId, controllers }
      const command = await kraftNode(installed, home, node, own, { ...replication, ...properties }, {})
      return { ...command, ports: own }
    })
    running.set(id, server)
    await waitUntilAnswering(server, addressOf(id), size)
  }
  const stop = async () => {
    await Promise.all(Array.from(running.values(), (server) => server.release()))
  }

  onProgress({ server: 'kafka', text: `starting ${size} brokers` })
  const starts = await Promise.allSettled(ids.map(start))
  const failed = starts.find((end) => end.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  const bootstrapServers = ids.map(addressOf).join(',')
  onProgress({ server: 'kafka', text: `ready at ${bootstrapServers}` })
  return {
    bootstrapServers,
    async kill(id) {
      await running.get(id)?.kill()
      running.delete(id)
    },
    restart: start,
    stop,
  }
}
