import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError } from '../core/errors.js'
import { isHeld } from './held-server.js'
import { startKafka } from './kafka.js'
import type { LocalServer } from './local-server.js'
import { holdPostgres } from './postgres.js'
import type { OnProgress } from './progress.js'
import { startRocketmq } from './rocketmq.js'
import { startZeebe } from './zeebe.js'

export const SERVER_NAMES = ['postgres', 'kafka', 'zeebe', 'rocketmq'] as const
export type ServerName = (typeof SERVER_NAMES)[number]

export interface StackAddresses {
  postgres?: { url: string }
  zeebe?: { address: string; managementUrl: string }
  kafka?: { bootstrapServers: string }
  rocketmq?: { nameServer: string; proxyEndpoint: string }
}

export interface StackOptions {
  /** Each server gets a folder of its own in it. Whatever an earlier stack left there is removed. */
  dataFolder: string
  /** Default: all of them. */
  servers?: readonly ServerName[]
  onProgress: OnProgress
}

export interface Stack {
  addresses: StackAddresses
  /** Resolves once all servers are down. */
  stop(): Promise<void>
}

/**
 * Starts real servers on free ports of this machine. They stop with `stop`, or when this process ends in whatever
 * way. All of them start empty: an engine that starts anew repeats its job keys, so a ledger of before must not stay.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED; then nothing is left running
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  await removeEarlierData(options.dataFolder)
  const addresses: StackAddresses = {}
  const running: LocalServer[] = []
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
  }
  const start: Record<ServerName, () => Promise<LocalServer>> = {
    async postgres() {
      options.onProgress({ server: 'postgres', text: 'starting' })
      const { url, kill, release } = await holdPostgres(folderOf('postgres'))
      const { host } = new URL(url)
      options.onProgress({ server: 'postgres', text: `ready at ${host}` })
      addresses.postgres = { url }
      return { kill, stop: release }
    },
    async kafka() {
      const { bootstrapServers, ...server } = await startKafka(startOptions('kafka'))
      addresses.kafka = { bootstrapServers }
      return server
    },
    async zeebe() {
      const { address, managementUrl, ...server } = await startZeebe(startOptions('zeebe'))
      addresses.zeebe = { address, managementUrl }
      return server
    },
    async rocketmq() {
      const { nameServer, proxyEndpoint, ...server } = await startRocketmq(startOptions('rocketmq'))
      addresses.rocketmq = { nameServer, proxyEndpoint }
      return server
    },
  }
  const folderOf = (server: ServerName) => path.join(options.dataFolder, server)
  const startOptions = (server: ServerName) => ({ folder: folderOf(server), onProgress: options.onProgress })

  const starts = (options.servers ?? SERVER_NAMES).map(async (name) => {
    running.push(await start[name]())
  })
  try {
    await Promise.all(starts)
  } catch (error) {
    await Promise.allSettled(starts)
    await stop()
    throw error
  }
  return { addresses, stop }
}

/** Marks folders that a stack made, so that never anything else is removed. */
const MARKER = '.bpmn-relay-stack'

async function removeEarlierData(dataFolder: string): Promise<void> {
  const marker = path.join(dataFolder, MARKER)
  for (const folder of ['postgres', 'kafka', 'zeebe', 'rocketmq/name-server', 'rocketmq/broker']) {
    if (await isHeld(path.join(dataFolder, folder))) {
      throw new RelayError(
        'STACK_SERVER_FAILED',
        `the ${folder} in ${dataFolder} is in use by another process: stop that one first, or choose another data folder.`,
      )
    }
  }
  for (const name of SERVER_NAMES) {
    const folder = path.join(dataFolder, name)
    if (!existsSync(folder)) continue
    if (!existsSync(marker)) {
      throw new RelayError(
        'STACK_SERVER_FAILED',
        `${folder} was not made by a local stack and will not be removed: choose another data folder.`,
      )
    }
    await rm(folder, { recursive: true })
  }
  await mkdir(dataFolder, { recursive: true })
  await writeFile(marker, '')
}
