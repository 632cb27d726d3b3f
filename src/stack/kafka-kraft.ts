import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Ports, ServerCommand } from './held-server.js'
import {
  BROKER_PROPERTIES,
  kafkaCommand,
  listenerProperties,
  type ServerProperties,
  writeProperties,
} from './kafka-broker.js'
import type { InstalledServer } from './maven.js'
import { portOf } from './ports.js'

export interface KraftNode {
  /** Counted from 1. */
  id: number
  clusterId: string
  /** Ports of the controllers of all nodes, by id. */
  controllers: number[]
}

const HEAP_MB = 512

/** What runs a node that is both broker and controller. Its storage is formatted unless it was before. */
export async function kraftNode(
  installed: InstalledServer,
  folder: string,
  { id, clusterId, controllers }: KraftNode,
  ports: Ports,
  given: ServerProperties,
  listeners: Record<string, string>,
): Promise<Omit<ServerCommand, 'ports'>> {
  const data = path.join(folder, 'data')
  const propertiesFile = path.join(folder, 'server.properties')
  const controller = { name: 'CONTROLLER', port: portOf(ports, 'controller') }
  await writeProperties(propertiesFile, {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': controllers.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join(','),
    'controller.listener.names': controller.name,
    ...listenerProperties((name) => portOf(ports, name), listeners, controller),
    'log.dirs': data,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // A broker that was killed is let in again only after its old session has run out: 9 s by default.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    ...BROKER_PROPERTIES,
    ...given,
  })
  if (!existsSync(path.join(data, 'meta.properties'))) {
    await mkdir(data, { recursive: true })
    // It ends before the optimizing compiler would have paid.
    const tool = ['-XX:TieredStopAtLevel=1', 'kafka.tools.StorageTool']
    const format = [...tool, 'format', '-t', clusterId, '-c', propertiesFile]
    const { command, args, env } = await kafkaCommand(installed, folder, HEAP_MB, format)
    await promisify(execFile)(command, args, { env, cwd: folder })
  }
  return kafkaCommand(installed, folder, HEAP_MB, ['kafka.Kafka', propertiesFile])
}

/** Never with a leading "-", which the storage tool would take for an option. */
export function newClusterId(random: (size: number) => Buffer = randomBytes): string {
  for (;;) {
    const id = random(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}
