import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError } from '../core/errors.js'
import { isHeld } from './held-server.js'
import { startKafka } from './kafka.js'
import type { StartOptions } from './local-server.js'
import { installServer } from './maven.js'
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
  const { dataFolder, onProgress } = options
  const names = options.servers ?? SERVER_NAMES
  // Before anything starts or is removed: what is missing is said at once.
  for (const name of names) if (name !== 'postgres') await installServer(name, onProgress)
  await removeEarlierData(dataFolder)

  const starts = names.map((name) => startServer(name, { folder: path.join(dataFolder, name), onProgress }))
  const ends = await Promise.allSettled(starts)
  const running = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
  }
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure) {
    await stop()
    throw failure.reason
  }
  return { addresses: Object.assign({}, ...running.map((server) => server.addresses)), stop }
}

interface RunningServer {
  addresses: StackAddresses
  stop(): Promise<void>
}

async function startServer(name: ServerName, options: StartOptions): Promise<RunningServer> {
  switch (name) {
    case 'postgres': {
      options.onProgress({ server: name, text: 'starting' })
      const { url, release } = await holdPostgres(options.folder)
      options.onProgress({ server: name, text: `ready at ${new URL(url).host}` })
      return { addresses: { postgres: { url } }, stop: release }
    }
    case 'kafka': {
      const { bootstrapServers, stop } = await startKafka(options)
      return { addresses: { kafka: { bootstrapServers } }, stop }
    }
    case 'zeebe': {
      const { address, managementUrl, stop } = await startZeebe(options)
      return { addresses: { zeebe: { address, managementUrl } }, stop }
    }
    case 'rocketmq': {
      const { nameServer, proxyEndpoint, stop } = await startRocketmq(options)
      return { addresses: { rocketmq: { nameServer, proxyEndpoint } }, stop }
    }
  }
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
