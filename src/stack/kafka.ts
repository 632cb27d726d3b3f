import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import { holdServer } from './held-server.js'
import { jvmCommand } from './jvm.js'
import type { LocalServer, StartOptions } from './local-server.js'
import { installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'
import { waitUntilReady } from './readiness.js'

type ServerProperties = Record<string, string | number | boolean>

export interface LocalKafka extends LocalServer {
  bootstrapServers: string
  /** `host:port` of each further listener. */
  listeners: Record<string, string>
}

/**
 * Kafka as a single KRaft node. Topics are made when first used, with 3 partitions, unless `properties` of
 * server.properties say otherwise.
 * @param listeners further listeners and the protocol of each, such as `{ LOGIN: 'SASL_SSL' }`
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startKafka(
  { folder: given, onProgress }: StartOptions,
  properties: ServerProperties = {},
  listeners: Record<string, string> = {},
): Promise<LocalKafka> {
  const { java, files } = await installServer('kafka', onProgress)
  const jars = path.join(files, '*')
  onProgress({ server: 'kafka', text: 'starting' })
  const server = await holdServer('kafka', given, async () => {
    const folder = await realpath(given)
    const names = ['broker', 'controller', ...Object.keys(listeners)]
    const ports = await choosePorts(folder, Object.fromEntries(names.map((name) => [name, 1])))
    const propertiesFile = path.join(folder, 'server.properties')
    await writeFile(propertiesFile, serverProperties(folder, ports, properties, listeners))
    // Without a level of its own, the logging library shows errors alone.
    const logging = '-Dorg.apache.logging.log4j.level=INFO'
    const run = (...args: string[]) => jvmCommand(java, folder, 512, ['-cp', jars, logging, ...args])
    if (!existsSync(path.join(folder, 'data', 'meta.properties'))) {
      await mkdir(path.join(folder, 'data'), { recursive: true })
      const format = await run(
        'kafka.tools.StorageTool',
        'format',
        '-t',
        newClusterId(),
        '-c',
        propertiesFile,
      )
      await promisify(execFile)(format.command, format.args, { env: format.env, cwd: folder })
    }
    return { ...(await run('kafka.Kafka', propertiesFile)), ports }
  })
  const bootstrapServers = `127.0.0.1:${portOf(server.ports, 'broker')}`
  await waitUntilReady(server, () => answersAsCluster(bootstrapServers), 90_000)
  onProgress({ server: 'kafka', text: `ready at ${bootstrapServers}` })
  return {
    bootstrapServers,
    listeners: Object.fromEntries(
      Object.keys(listeners).map((name) => [name, `127.0.0.1:${portOf(server.ports, name)}`]),
    ),
    kill: server.kill,
    stop: server.release,
  }
}

/** Never with a leading "-", which the storage tool would take for an option. */
export function newClusterId(random: (size: number) => Buffer = randomBytes): string {
  for (;;) {
    const id = random(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

async function answersAsCluster(bootstrapServers: string): Promise<void> {
  const kafka = new Kafka({
    brokers: [bootstrapServers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    if (brokers.length === 0) throw new Error('no broker is registered yet')
  } finally {
    await admin.disconnect()
  }
}

function serverProperties(
  folder: string,
  ports: Record<string, number>,
  given: ServerProperties,
  listeners: Record<string, string>,
): string {
  const broker = `127.0.0.1:${portOf(ports, 'broker')}`
  const controller = `127.0.0.1:${portOf(ports, 'controller')}`
  const further = Object.keys(listeners).map((name) => `,${name}://127.0.0.1:${portOf(ports, name)}`)
  const protocols = Object.entries(listeners).map(([name, protocol]) => `,${name}:${protocol}`)
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${broker},CONTROLLER://${controller}${further.join('')}`,
    'advertised.listeners': `PLAINTEXT://${broker}${further.join('')}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols.join('')}`,
    'log.dirs': path.join(folder, 'data'),
    'num.partitions': 3,
    'auto.create.topics.enable': true,
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 5,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 5,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A broker that was killed is let in again only after its old session has run out: 9 s by default.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'log.segment.bytes': 64 * 1024 * 1024,
    // Index files are laid out at full size for every partition: 10 MiB each by default.
    'log.index.size.max.bytes': 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    ...given,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}
