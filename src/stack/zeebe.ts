import { mkdir, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { holdServer, type Ports } from './held-server.js'
import { jvmCommand } from './jvm.js'
import type { LocalServer, StartOptions } from './local-server.js'
import { installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'
import { acceptsConnections, waitUntilReady } from './readiness.js'

const DISTRIBUTION = 'camunda-zeebe-8.6.0'

export interface LocalZeebe extends LocalServer {
  /** Of the gRPC gateway, `host:port`. */
  address: string
  managementUrl: string
}

/**
 * Zeebe, broker and gateway in one process, one partition.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startZeebe({ folder: given, onProgress }: StartOptions): Promise<LocalZeebe> {
  const { java, files } = await installServer('zeebe', onProgress)
  const home = path.join(files, DISTRIBUTION)
  onProgress({ server: 'zeebe', text: 'starting' })
  const server = await holdServer('zeebe', given, async () => {
    const folder = await realpath(given)
    const ports = await choosePorts(folder, { gateway: 1, command: 1, internal: 1, management: 1, rest: 1 })
    // JSON is YAML.
    const config = path.join(folder, 'application.yaml')
    await writeFile(config, JSON.stringify(zeebeConfig(folder, ports), null, 2))
    await mkdir(path.join(folder, 'data'), { recursive: true })
    const jvm = await jvmCommand(java, folder, 1024, [
      '-cp',
      [path.join(home, 'config'), path.join(home, 'lib', '*')].join(path.delimiter),
      '-Dfile.encoding=UTF-8',
      `-Dapp.home=${folder}`,
      `-Dbasedir=${folder}`,
      'io.camunda.application.StandaloneBroker',
      `--spring.config.additional-location=file:${config}`,
    ])
    return { ...jvm, ports }
  })
  const address = `127.0.0.1:${portOf(server.ports, 'gateway')}`
  const managementUrl = `http://127.0.0.1:${portOf(server.ports, 'management')}`
  await waitUntilReady(server, () => isUp(managementUrl), 180_000)
  await waitUntilReady(server, () => acceptsConnections(portOf(server.ports, 'gateway')), 30_000)
  onProgress({ server: 'zeebe', text: `ready at ${address}` })
  return { address, managementUrl, kill: server.kill, stop: server.release }
}

async function isUp(managementUrl: string): Promise<void> {
  const answer = await fetch(`${managementUrl}/actuator/health/readiness`, {
    signal: AbortSignal.timeout(4_000),
  })
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`it answers ${answer.status} when asked for its readiness`)
}

function zeebeConfig(folder: string, ports: Ports): unknown {
  const at = (name: string) => ({ host: '127.0.0.1', port: portOf(ports, name) })
  // By default Zeebe stops when the disk is rather full; here a little is enough.
  const freeSpace = { processing: '64MB', replication: '32MB' }
  return {
    server: { address: '127.0.0.1', port: portOf(ports, 'rest') },
    management: { server: { address: '127.0.0.1', port: portOf(ports, 'management') } },
    zeebe: {
      broker: {
        network: { host: '127.0.0.1', commandApi: at('command'), internalApi: at('internal') },
        data: {
          directory: path.join(folder, 'data'),
          logSegmentSize: '32MB',
          disk: { freeSpace },
        },
        threads: { cpuThreadCount: 2, ioThreadCount: 2 },
        gateway: { network: at('gateway') },
      },
    },
  }
}
