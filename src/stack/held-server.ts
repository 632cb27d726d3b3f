import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, open, realpath, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pause } from '../core/time-limit.js'
import { withFileLock } from './file-lock.js'
import { serverFailure } from './readiness.js'

/** Everything a keeper needs to start a server and to stop it again. */
export interface ServerSpec extends ServerCommand {
  folder: string
  socket: string
}

export interface ServerCommand {
  command: string
  args: string[]
  env: Record<string, string>
  /** Told to every holder. */
  ports: Ports
  /** What asks this server to stop; it gets some seconds before it is killed. */
  stopSignal: 'SIGTERM' | 'SIGINT'
  /** Runs the server as this user; absent: as the caller. */
  user?: { uid: number; gid: number }
}

export type Ports = Record<string, number>

export type KeeperMessage = { event: 'running'; pid: number; ports: Ports } | ({ event: 'ended' } & ServerEnd)

export interface ServerEnd {
  code: number | null
  reason: string
}

/** A server kept running at least until `release`, or until this process ends in whatever way. */
export interface HeldServer {
  name: string
  pid: number
  ports: Ports
  /** Standard output and errors of the server. */
  logFile: string
  /** Resolves when the server ends without having been released here. */
  ended: Promise<ServerEnd>
  /** Resolves at once when others hold the server too, else once it is down. May be called twice. */
  release(): Promise<void>
  /** Ends the server as a crash would, for all holders; resolves once it is down. */
  kill(): Promise<void>
}

const KEEPER_START_LIMIT_MS = 30_000

/**
 * Joins the server of this folder if some process holds it already, else starts it with what `prepare` returns.
 * `prepare` never runs twice at the same time for a folder, nor while the server runs. The server may not be ready yet.
 * @throws RelayError STACK_SERVER_FAILED
 */
export async function holdServer(
  name: string,
  givenFolder: string,
  prepare: () => Promise<ServerCommand>,
): Promise<HeldServer> {
  await mkdir(givenFolder, { recursive: true })
  const folder = await realpath(givenFolder)
  const place = { name, socket: socketPath(folder), logFile: path.join(folder, `${name}.log`) }
  return (
    (await join(place)) ??
    withFileLock(path.join(folder, 'start.lock'), async () => {
      const running = await join(place)
      if (running) return running
      await rm(place.socket, { force: true })
      return startKeeper(place, { ...(await prepare()), folder, socket: place.socket })
    })
  )
}

/** Whether some process holds the server of this folder. */
export async function isHeld(folder: string): Promise<boolean> {
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined) return false
  const held = await join({ name: '', socket: socketPath(real), logFile: '' })
  await held?.release()
  return held !== undefined
}

interface Place {
  name: string
  socket: string
  logFile: string
}

async function startKeeper(place: Place, spec: ServerSpec): Promise<HeldServer> {
  const log = await open(place.logFile, 'a')
  const keeper = spawn(process.execPath, [...keeperProgram(), place.name, spec.folder], {
    cwd: spec.folder,
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
  })
  await log.close()
  let failure: string | undefined
  keeper.on('error', (error) => {
    failure = error.message
  })
  keeper.on('exit', () => {
    failure = 'it ended at once'
  })
  keeper.stdin?.on('error', () => undefined)
  keeper.stdin?.write(`${JSON.stringify(spec)}\n`)
  try {
    const limit = performance.now() + KEEPER_START_LIMIT_MS
    for (;;) {
      const held = await join(place)
      if (held) return held
      if (performance.now() > limit) failure = `its keeper did not answer within ${KEEPER_START_LIMIT_MS} ms`
      if (failure !== undefined) throw await serverFailure(place, failure)
      await pause(25)
    }
  } finally {
    keeper.stdin?.end()
    keeper.unref()
  }
}

/** The keeper runs the way this program does: compiled, or as TypeScript through tsx. */
function keeperProgram(): string[] {
  const self = fileURLToPath(import.meta.url)
  const extension = path.extname(self)
  const keeper = path.join(path.dirname(self), `keeper${extension}`)
  return extension === '.ts' ? ['--import', import.meta.resolve('tsx'), keeper] : [keeper]
}

/** Undefined when no keeper listens. Waits while a keeper is stopping its server. */
async function join(place: Place): Promise<HeldServer | undefined> {
  for (;;) {
    const connection = await dial(place.socket)
    if (!connection) return undefined
    const held = await greet(place, connection)
    if (held) return held
    await pause(20)
  }
}

async function dial(socket: string): Promise<Socket | undefined> {
  const connection = connect(socket)
  try {
    await once(connection, 'connect')
    return connection
  } catch {
    return undefined
  }
}

/** Undefined when the keeper hung up without a greeting. */
function greet(place: Place, connection: Socket): Promise<HeldServer | undefined> {
  connection.on('error', () => connection.destroy())
  const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()))
  let end: ServerEnd = { code: null, reason: 'its keeper is gone' }
  let released = false
  return new Promise((resolve) => {
    const lines = createInterface({ input: connection })
    // It repeats those of the connection, of which its end tells enough.
    lines.on('error', () => undefined)
    lines.on('line', (line) => {
      const message: KeeperMessage = JSON.parse(line)
      if (message.event === 'ended') {
        end = { code: message.code, reason: message.reason }
        return
      }
      const { pid, ports } = message
      resolve({
        ...{ name: place.name, logFile: place.logFile, pid, ports },
        ended: new Promise((tell) => {
          closed.then(() => {
            if (!released) tell(end)
          })
        }),
        async release() {
          released = true
          connection.end()
          await closed
        },
        async kill() {
          released = true
          try {
            process.kill(-pid, 'SIGKILL')
          } catch {
            // It is down already.
          }
          await closed
        },
      })
    })
    closed.then(() => resolve(undefined))
  })
}

/** The system limits the path of a unix socket to about 100 bytes. */
function socketPath(folder: string): string {
  const inFolder = path.join(folder, 'keeper.sock')
  if (Buffer.byteLength(inFolder) <= 100) return inFolder
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 20)
  return path.join(os.tmpdir(), `bpmn-relay-${digest}.sock`)
}

/** A small environment of its own: settings meant for this program must not reach a server. */
export function serverEnvironment(folder: string, more: Record<string, string> = {}): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8', ...more }
}
