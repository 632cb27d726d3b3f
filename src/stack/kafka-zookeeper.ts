import { once } from 'node:events'
import { mkdir, realpath } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { holdServer } from './held-server.js'
import {
  BROKER_PROPERTIES,
  kafkaCommand,
  listenerProperties,
  type ServerProperties,
  waitUntilAnswering,
  writeProperties,
} from './kafka-broker.js'
import type { StartOptions } from './local-server.js'
import { type InstalledServer, installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'
import { acceptsConnections, waitUntilReady } from './readiness.js'

const BROKER_ID = 1

/**
 * Kafka 2.8 as people ran it: a broker, and in a second process the ZooKeeper of the same jars. Stopped and killed
 * together.
 */
export async function startKafkaOnZookeeper(
  { folder, onProgress }: StartOptions,
  properties: ServerProperties,
  listeners: Record<string, string>,
) {
  const installed = await installServer('kafka-2.8', onProgress)
  const zookeeper = await startZookeeper(installed, path.join(folder, 'zookeeper'))
  try {
    const given = path.join(folder, 'broker')
    const broker = await holdServer('kafka', given, async () => {
      const real = await realpath(given)
      const names = ['broker', ...Object.keys(listeners)]
      const ports = await choosePorts(real, Object.fromEntries(names.map((name) => [name, 1])))
      const propertiesFile = path.join(real, 'server.properties')
      await writeProperties(propertiesFile, {
        'broker.id': BROKER_ID,
        'zookeeper.connect': `127.0.0.1:${zookeeper.port}`,
        // How long ZooKeeper takes a broker that was killed for one that lives: 18 s by default.
        'zookeeper.session.timeout.ms': 6_000,
        ...listenerProperties((name) => portOf(ports, name), listeners),
        'log.dirs': path.join(real, 'data'),
        ...BROKER_PROPERTIES,
        ...properties,
      })
      await waitUntilReady(zookeeper.server, () => isUnregistered(zookeeper.port), 30_000)
      return { ...(await kafkaCommand(installed, real, 512, ['kafka.Kafka', propertiesFile])), ports }
    })
    await waitUntilAnswering(broker, `127.0.0.1:${portOf(broker.ports, 'broker')}`)
    return {
      ports: broker.ports,
      async kill() {
        await Promise.all([broker.kill(), zookeeper.server.kill()])
      },
      async stop() {
        // One after the other: a broker that leaves tells ZooKeeper.
        await broker.release()
        await zookeeper.server.release()
      },
    }
  } catch (error) {
    await zookeeper.server.release()
    throw error
  }
}

async function startZookeeper(installed: InstalledServer, given: string) {
  const server = await holdServer('zookeeper', given, async () => {
    const folder = await realpath(given)
    const ports = await choosePorts(folder, { zookeeper: 1 })
    const dataFolder = path.join(folder, 'data')
    await mkdir(dataFolder, { recursive: true })
    const config = path.join(folder, 'zookeeper.properties')
    await writeProperties(config, {
      dataDir: dataFolder,
      clientPort: portOf(ports, 'zookeeper'),
      clientPortAddress: '127.0.0.1',
      'admin.enableServer': false,
      '4lw.commands.whitelist': 'dump',
      // The longest session is 20 ticks.
      tickTime: 500,
      // Kilobytes its log grows by: 64 MiB by default.
      preAllocSize: 1024,
    })
    const main = ['org.apache.zookeeper.server.ZooKeeperServerMain', config]
    return { ...(await kafkaCommand(installed, folder, 128, main)), ports }
  })
  const port = portOf(server.ports, 'zookeeper')
  await waitUntilReady(server, () => acceptsConnections(port), 60_000)
  return { server, port }
}

/** A probe: no session of an earlier run of the broker is left, with which ZooKeeper would refuse it. */
async function isUnregistered(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write('dump')
    const sessions = await text(socket)
    if (!sessions.startsWith('SessionTracker dump')) throw new Error('ZooKeeper does not serve yet')
    if (sessions.includes(`/brokers/ids/${BROKER_ID}`)) throw new Error('its broker is registered still')
  } finally {
    socket.destroy()
  }
}
