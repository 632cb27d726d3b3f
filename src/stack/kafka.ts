import { realpath } from 'node:fs/promises'
import { holdServer } from './held-server.js'
import { type ServerProperties, waitUntilAnswering } from './kafka-broker.js'
import { kraftNode, newClusterId } from './kafka-kraft.js'
import { startKafkaOnZookeeper } from './kafka-zookeeper.js'
import type { LocalServer, StartOptions } from './local-server.js'
import { installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'

/** `2.8` is the last line of versions that was run with ZooKeeper in production only. */
export type KafkaVersion = '4.3' | '2.8'

export interface KafkaOptions extends StartOptions {
  /** Default: 4.3. */
  version?: KafkaVersion | undefined
}

export interface LocalKafka extends LocalServer {
  bootstrapServers: string
  /** `host:port` of each further listener. */
  listeners: Record<string, string>
}

/**
 * Kafka as a single broker: a KRaft node, or 2.8 with a ZooKeeper of its own. Topics are made when first used, with 3
 * partitions, unless `properties` of server.properties say otherwise.
 * @param listeners further listeners and the protocol of each, such as `{ LOGIN: 'SASL_SSL' }`
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startKafka(
  { version = '4.3', ...options }: KafkaOptions,
  properties: ServerProperties = {},
  listeners: Record<string, string> = {},
): Promise<LocalKafka> {
  options.onProgress({ server: 'kafka', text: 'starting' })
  const start = version === '2.8' ? startKafkaOnZookeeper : startKraft
  const { ports, kill, stop } = await start(options, properties, listeners)
  const addressOf = (name: string) => `127.0.0.1:${portOf(ports, name)}`
  const bootstrapServers = addressOf('broker')
  options.onProgress({ server: 'kafka', text: `ready at ${bootstrapServers}` })
  return {
    bootstrapServers,
    listeners: Object.fromEntries(Object.keys(listeners).map((name) => [name, addressOf(name)])),
    kill,
    stop,
  }
}

async function startKraft(
  { folder: given, onProgress }: StartOptions,
  properties: ServerProperties,
  listeners: Record<string, string>,
) {
  const installed = await installServer('kafka', onProgress)
  const server = await holdServer('kafka', given, async () => {
    const folder = await realpath(given)
    const names = ['broker', 'controller', ...Object.keys(listeners)]
    const ports = await choosePorts(folder, Object.fromEntries(names.map((name) => [name, 1])))
    const node = { id: 1, clusterId: newClusterId(), controllers: [portOf(ports, 'controller')] }
    return { ...(await kraftNode(installed, folder, node, ports, properties, listeners)), ports }
  })
  await waitUntilAnswering(server, `127.0.0.1:${portOf(server.ports, 'broker')}`)
  return { ports: server.ports, kill: server.kill, stop: server.release }
}
