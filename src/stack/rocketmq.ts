import { realpath, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { holdServer } from './held-server.js'
import type { Java } from './java.js'
import { jvmCommand } from './jvm.js'
import type { LocalServer, StartOptions } from './local-server.js'
import { installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'
import { acceptsConnections, waitUntilReady } from './readiness.js'

export interface LocalRocketmq extends LocalServer {
  nameServer: string
  /** Of the gRPC proxy, `host:port`. */
  proxyEndpoint: string
}

/** RocketMQ reaches into the JDK for its memory-mapped files. */
const JDK_ACCESS = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
]

/** One log on standard output instead of the twenty files RocketMQ writes, which nobody would find. */
const LOGGING = `<configuration>
  <appender name="out" class="org.apache.rocketmq.logging.ch.qos.logback.core.ConsoleAppender">
    <encoder class="org.apache.rocketmq.logging.ch.qos.logback.classic.encoder.PatternLayoutEncoder">
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
export async function startRocketmq({ folder, onProgress }: StartOptions): Promise<LocalRocketmq> {
  const { java, files } = await installServer('rocketmq', onProgress)
  const jars = path.join(files, '*')
  onProgress({ server: 'rocketmq', text: 'starting' })
  const names = await startNameServer(java, jars, path.join(folder, 'name-server'))
  try {
    const broker = await startBroker(java, jars, path.join(folder, 'broker'), names.address)
    onProgress({
      server: 'rocketmq',
      text: `ready at ${names.address}, gRPC proxy at ${broker.proxyEndpoint}`,
    })
    return {
      nameServer: names.address,
      proxyEndpoint: broker.proxyEndpoint,
      async kill() {
        await Promise.all([broker.server.kill(), names.server.kill()])
      },
      async stop() {
        await Promise.all([broker.server.release(), names.server.release()])
      },
    }
  } catch (error) {
    await names.server.release()
    throw error
  }
}

async function startNameServer(java: Java, jars: string, given: string) {
  const server = await holdServer('name-server', given, async () => {
    const folder = await realpath(given)
    const ports = await choosePorts(folder, { nameServer: 1 })
    const config = path.join(folder, 'namesrv.conf')
    const store = { kvConfigPath: path.join(folder, 'kvConfig.json'), configStorePath: config }
    await writeProperties(config, { listenPort: portOf(ports, 'nameServer'), rocketmqHome: folder, ...store })
    const main = ['org.apache.rocketmq.namesrv.NamesrvStartup', '-c', config]
    return { ...(await rocketmqJvm(java, folder, 256, jars, main)), ports }
  })
  const port = portOf(server.ports, 'nameServer')
  await waitUntilReady(server, () => acceptsConnections(port), 60_000)
  return { server, address: `127.0.0.1:${port}` }
}

async function startBroker(java: Java, jars: string, given: string, nameServer: string) {
  const server = await holdServer('broker', given, async () => {
    const folder = await realpath(given)
    // The broker itself also takes the port two below its own.
    const ports = await choosePorts(folder, { brokerLow: 3, replication: 1, proxy: 1, proxyRemoting: 1 })
    const config = path.join(folder, 'broker.conf')
    await writeProperties(config, {
      brokerClusterName: 'DefaultCluster',
      brokerName: 'broker-a',
      brokerId: 0,
      brokerIP1: '127.0.0.1',
      namesrvAddr: nameServer,
      listenPort: brokerPort(ports),
      haListenPort: portOf(ports, 'replication'),
      autoCreateTopicEnable: true,
      autoCreateSubscriptionGroup: true,
      timerWheelEnable: true,
      storePathRootDir: path.join(folder, 'store'),
      storePathCommitLog: path.join(folder, 'store', 'commitlog'),
      mappedFileSizeCommitLog: 64 * 1024 * 1024,
      mappedFileSizeConsumeQueue: 300_000,
      mappedFileSizeTimerLog: 8 * 1024 * 1024,
      maxIndexNum: 400_000,
      maxHashSlotNum: 100_000,
      transientStorePoolEnable: false,
      diskMaxUsedSpaceRatio: 99,
      registerNameServerPeriod: 10_000,
    })
    const proxyConfig = path.join(folder, 'rmq-proxy.json')
    await writeFile(
      proxyConfig,
      JSON.stringify({
        rocketMQClusterName: 'DefaultCluster',
        namesrvAddr: nameServer,
        grpcServerPort: portOf(ports, 'proxy'),
        remotingListenPort: portOf(ports, 'proxyRemoting'),
      }),
    )
    const main = ['org.apache.rocketmq.proxy.ProxyStartup', '-pm', 'local', '-bc', config, '-pc', proxyConfig]
    // By default new messages are refused from 90 % on, and old ones are dropped to make room.
    const disk = [
      '-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99',
      '-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.99',
    ]
    return { ...(await rocketmqJvm(java, folder, 1024, jars, [...disk, ...main])), ports }
  })
  await waitUntilReady(
    server,
    () => isRegistered(nameServer, `127.0.0.1:${brokerPort(server.ports)}`),
    120_000,
  )
  await waitUntilReady(server, () => acceptsConnections(portOf(server.ports, 'proxy')), 30_000)
  return { server, proxyEndpoint: `127.0.0.1:${portOf(server.ports, 'proxy')}` }
}

function brokerPort(ports: Record<string, number>): number {
  return portOf(ports, 'brokerLow') + 2
}

async function rocketmqJvm(java: Java, folder: string, heapMb: number, jars: string, main: string[]) {
  const logging = path.join(folder, 'logback.xml')
  await writeFile(logging, LOGGING)
  const logger = `-Drmq.logback.configurationFile=${logging}`
  const jvm = await jvmCommand(java, folder, heapMb, ['-cp', jars, logger, ...JDK_ACCESS, ...main])
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
