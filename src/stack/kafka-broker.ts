import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { HeldServer, ServerCommand } from './held-server.js'
import { jvmCommand } from './jvm.js'
import type { InstalledServer } from './maven.js'
import { waitUntilReady } from './readiness.js'

/** Lines of server.properties. */
export type ServerProperties = Record<string, string | number | boolean>

/** What every Kafka of ours has, of whatever version and mode. */
export const BROKER_PROPERTIES: ServerProperties = {
  'num.partitions': 3,
  'auto.create.topics.enable': true,
  'default.replication.factor': 1,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 5,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 5,
  'group.initial.rebalance.delay.ms': 0,
  'log.segment.bytes': 64 * 1024 * 1024,
  // Index files are laid out at full size for every partition: 10 MiB each by default.
  'log.index.size.max.bytes': 1024 * 1024,
  'num.network.threads': 2,
  'num.io.threads': 4,
  'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
}

/**
 * Where a broker listens: the port named `broker` without TLS and login, and a port of its own for each further
 * listener, given with its protocol.
 */
export function listenerProperties(
  port: (name: string) => number,
  further: Record<string, string>,
  controller?: { name: string; port: number },
): ServerProperties {
  const address = (name: string, at: number) => `${name}://127.0.0.1:${at}`
  const names = Object.keys(further)
  const advertised = [address('PLAINTEXT', port('broker')), ...names.map((name) => address(name, port(name)))]
  const own = controller ? [address(controller.name, controller.port)] : []
  const protocols = {
    PLAINTEXT: 'PLAINTEXT',
    ...(controller && { [controller.name]: 'PLAINTEXT' }),
    ...further,
  }
  return {
    listeners: [...advertised, ...own].join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': Object.entries(protocols)
      .map(([name, protocol]) => `${name}:${protocol}`)
      .join(','),
  }
}

export async function writeProperties(file: string, properties: ServerProperties): Promise<void> {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  await writeFile(file, lines.join(''))
}

/** Runs a class of Kafka's jars. */
export function kafkaCommand(
  { java, files }: InstalledServer,
  folder: string,
  heapMb: number,
  main: string[],
): Promise<Omit<ServerCommand, 'ports'>> {
  // Without a level of its own, the logging library shows errors alone.
  const logging = '-Dorg.apache.logging.log4j.level=INFO'
  return jvmCommand(java, folder, heapMb, ['-cp', path.join(files, '*'), logging, ...main])
}

/** Waits until a cluster of this many brokers answers at the address. @throws RelayError STACK_SERVER_FAILED */
export async function waitUntilAnswering(server: HeldServer, address: string, count = 1): Promise<void> {
  await waitUntilReady(server, () => answersAsCluster(address, count), 90_000)
}

async function answersAsCluster(address: string, count: number): Promise<void> {
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    if (brokers.length < count) throw new Error(`${brokers.length} of ${count} brokers are registered yet`)
  } finally {
    await admin.disconnect()
  }
}
