import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { type HeldServer, holdServer, type Ports } from './held-server.js'
import type { Java } from './java.js'
import { jvmCommand } from './jvm.js'
import type { LocalServer, StartOptions } from './local-server.js'
import { type InstalledServer, installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'
import { acceptsConnections, waitUntilReady } from './readiness.js'

type ServerProperties = Record<string, string | number | boolean>

export interface LocalRocketmq extends LocalServer {
  nameServer: string
  /** Of the gRPC proxy, `host:port`. */
  proxyEndpoint: string
  /** End one part as a crash would; another start with the same folder brings it back. */
  killBroker(): Promise<void>
  killNameServer(): Promise<void>
}

export interface RocketmqOptions {
  /** Properties of broker.conf besides or instead of ours. */
  broker?: ServerProperties
  /** Fields of rmq-proxy.json besides or instead of ours. */
  proxy?: Record<string, unknown>
  /** Further files of the broker's home, such as conf/plain_acl.yml. */
  files?: Record<string, string>
}

/** RocketMQ reaches into the JDK for its memory-mapped files. */
const JDK_ACCESS = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
]

/** By default new messages are refused from 90 % on, and old ones are dropped to make room. */
const ON_FULL_DISKS = [
  '-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99',
  '-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.99',
]

/** One log on standard output instead of the twenty files RocketMQ writes, which nobody would find. */
const logging = (library: string) => `<configuration>
  <appender name="out" class="${library}.core.ConsoleAppender">
    <encoder class="${library}.classic.encoder.PatternLayoutEncoder">
      <pattern>%d %-5level %logger{0} - %msg%n</pattern>
    </encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`

/**
 * RocketMQ: a name server, and in a second process a broker with its gRPC proxy. Topics are made when first used.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startRocketmq(
  options: StartOptions,
  given: RocketmqOptions = {},
): Promise<LocalRocketmq> {
  const installed = await installServer('rocketmq', options.onProgress)
  const { nameServer, ports, ends } = await startServers(installed, options, given, {
    main: 'org.apache.rocketmq.proxy.ProxyStartup',
    args: ({ broker, proxy }) => ['-pm', 'local', '-bc', broker, '-pc', proxy],
    ready: (broker) => acceptsConnections(portOf(broker.ports, 'proxy')),
  })
  const proxyEndpoint = `127.0.0.1:${portOf(ports, 'proxy')}`
  options.onProgress({ server: 'rocketmq', text: `ready at ${nameServer}, gRPC proxy at ${proxyEndpoint}` })
  return { nameServer, proxyEndpoint, ...ends }
}

/**
 * RocketMQ 4.9, which has no gRPC proxy: a name server and a broker.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startRocketmq4(
  options: StartOptions,
  given: Omit<RocketmqOptions, 'proxy'> = {},
): Promise<Omit<LocalRocketmq, 'proxyEndpoint'>> {
  const installed = await installServer('rocketmq-4.9', options.onProgress)
  const { nameServer, ends } = await startServers(installed, options, given, PLAIN_BROKER)
  options.onProgress({ server: 'rocketmq', text: `ready at ${nameServer}` })
  return { nameServer, ...ends }
}

/**
 * One more broker under a name server, without a proxy.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startRocketmqBroker(
  { folder, onProgress }: StartOptions,
  nameServer: string,
  broker: ServerProperties,
): Promise<LocalServer> {
  const installed = await installServer('rocketmq', onProgress)
  const held = await startBroker(installed, folder, nameServer, { broker }, PLAIN_BROKER)
  return { kill: () => held.kill(), stop: () => held.release() }
}

/** The process of the broker. */
interface BrokerProcess {
  main: string
  args(configs: { broker: string; proxy: string }): string[]
  /** Rejects until what it offers besides the broker is there. */
  ready(broker: HeldServer): Promise<void>
}

const PLAIN_BROKER: BrokerProcess = {
  main: 'org.apache.rocketmq.broker.BrokerStartup',
  args: ({ broker }) => ['-c', broker],
  ready: async () => undefined,
}

async function startServers(
  installed: InstalledServer,
  { folder, onProgress }: StartOptions,
  given: RocketmqOptions,
  process: BrokerProcess,
) {
  onProgress({ server: 'rocketmq', text: 'starting' })
  const names = await startNameServer(installed, path.join(folder, 'name-server'))
  try {
    const nameServer = `127.0.0.1:${portOf(names.ports, 'nameServer')}`
    const broker = await startBroker(installed, path.join(folder, 'broker'), nameServer, given, process)
    return {
      nameServer,
      ports: broker.ports,
      ends: {
        killBroker: () => broker.kill(),
        killNameServer: () => names.kill(),
        async kill() {
          await Promise.all([broker.kill(), names.kill()])
        },
        async stop() {
          await Promise.all([broker.release(), names.release()])
        },
      },
    }
  } catch (error) {
    await names.release()
    throw error
  }
}

async function startBroker(
  { java, files }: InstalledServer,
  folder: string,
  nameServer: string,
  given: RocketmqOptions,
  { main, args, ready }: BrokerProcess,
): Promise<HeldServer> {
  const broker = await holdServer('broker', folder, async () => {
    const { home, ports, configs } = await prepareBroker(folder, nameServer, given)
    const command = [...ON_FULL_DISKS, main, ...args(configs)]
    return { ...(await rocketmqJvm(java, home, 1024, path.join(files, '*'), command)), ports }
  })
  const address = `127.0.0.1:${brokerPort(broker.ports)}`
  await waitUntilReady(broker, () => isRegistered(nameServer, address), 120_000)
  await waitUntilReady(broker, () => ready(broker), 30_000)
  return broker
}

async function startNameServer({ java, files }: InstalledServer, given: string): Promise<HeldServer> {
  const server = await holdServer('name-server', given, async () => {
    const folder = await realpath(given)
    const ports = await choosePorts(folder, { nameServer: 1 })
    const config = path.join(folder, 'namesrv.conf')
    const store = { kvConfigPath: path.join(folder, 'kvConfig.json'), configStorePath: config }
    await writeProperties(config, { listenPort: portOf(ports, 'nameServer'), rocketmqHome: folder, ...store })
    const main = ['org.apache.rocketmq.namesrv.NamesrvStartup', '-c', config]
    return { ...(await rocketmqJvm(java, folder, 256, path.join(files, '*'), main)), ports }
  })
  await waitUntilReady(server, () => acceptsConnections(portOf(server.ports, 'nameServer')), 60_000)
  return server
}

async function prepareBroker(folder: string, nameServer: string, given: RocketmqOptions) {
  const home = await realpath(folder)
  // The broker itself also takes the port two below its own, and 4.9 the one above for its slaves, whatever it is told.
  const ports = await choosePorts(home, { brokerLow: 4, proxy: 1, proxyRemoting: 1 })
  const configs = { broker: path.join(home, 'broker.conf'), proxy: path.join(home, 'rmq-proxy.json') }
  await writeProperties(configs.broker, { ...brokerProperties(home, ports, nameServer), ...given.broker })
  await writeFile(
    configs.proxy,
    JSON.stringify({
      rocketMQClusterName: 'DefaultCluster',
      namesrvAddr: nameServer,
      grpcServerPort: portOf(ports, 'proxy'),
      remotingListenPort: portOf(ports, 'proxyRemoting'),
      ...given.proxy,
    }),
  )
  for (const [name, text] of Object.entries(given.files ?? {})) {
    await mkdir(path.dirname(path.join(home, name)), { recursive: true })
    await writeFile(path.join(home, name), text)
  }
  return { home, ports, configs }
}

function brokerProperties(home: string, ports: Ports, nameServer: string): ServerProperties {
  return {
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerId: 0,
    brokerIP1: '127.0.0.1',
    namesrvAddr: nameServer,
    listenPort: brokerPort(ports),
    haListenPort: brokerPort(ports) + 1,
    autoCreateTopicEnable: true,
    autoCreateSubscriptionGroup: true,
    // Consumers may filter by SQL expressions over properties.
    enablePropertyFilter: true,
    timerWheelEnable: true,
    storePathRootDir: path.join(home, 'store'),
    storePathCommitLog: path.join(home, 'store', 'commitlog'),
    mappedFileSizeCommitLog: 64 * 1024 * 1024,
    mappedFileSizeConsumeQueue: 300_000,
    mappedFileSizeTimerLog: 8 * 1024 * 1024,
    maxIndexNum: 400_000,
    maxHashSlotNum: 100_000,
    transientStorePoolEnable: false,
    diskMaxUsedSpaceRatio: 99,
    registerNameServerPeriod: 10_000,
    // By default a request that waited 200 ms is refused, which a busy machine takes easily.
    waitTimeMillsInSendQueue: 2000,
  }
}

function brokerPort(ports: Record<string, number>): number {
  return portOf(ports, 'brokerLow') + 2
}

/** The logging libraries of the two versions look for their settings in different places. */
async function rocketmqJvm(java: Java, folder: string, heapMb: number, jars: string, args: string[]) {
  const conf = path.join(folder, 'conf')
  await mkdir(conf, { recursive: true })
  const current = path.join(conf, 'logback.xml')
  await writeFile(current, logging('org.apache.rocketmq.logging.ch.qos.logback'))
  for (const name of ['namesrv', 'broker']) {
    await writeFile(path.join(conf, `logback_${name}.xml`), logging('ch.qos.logback'))
  }
  const logger = `-Drmq.logback.configurationFile=${current}`
  const jvm = await jvmCommand(java, folder, heapMb, ['-cp', jars, logger, ...JDK_ACCESS, ...args])
  return { ...jvm, env: { ...jvm.env, ROCKETMQ_HOME: folder } }
}

async function writeProperties(file: string, properties: Record<string, string | number | boolean>) {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  await writeFile(file, lines.join(''))
}

const GET_BROKER_CLUSTER_INFO = 106

/** Asks the name server, in RocketMQ's remoting protocol, whether it knows the broker. */
async function isRegistered(nameServer: string, broker: string): Promise<void> {
  const [host, port] = nameServer.split(':')
  const header = Buffer.from(
    JSON.stringify({ code: GET_BROKER_CLUSTER_INFO, language: 'OTHER', version: 0, opaque: 1, flag: 0 }),
  )
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(4 + header.length, 0)
  lengths.writeUInt32BE(header.length, 4)
  const socket = connect(Number(port), host)
  try {
    let answer = ''
    await new Promise<void>((resolve, reject) => {
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1')
        if (answer.includes(`"${broker}"`)) resolve()
      })
      socket.setTimeout(1_000, () =>
        reject(new Error('the broker is not registered with the name server yet')),
      )
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the name server hung up')))
      socket.write(Buffer.concat([lengths, header]))
    })
  } finally {
    socket.destroy()
  }
}
