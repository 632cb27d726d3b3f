import { execFile } from 'node:child_process'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { RelayError } from '../core/errors.js'

export interface Java {
  /** The Java program itself. */
  program: string
  home: string
  major: number
}

interface JavaSearch {
  env?: NodeJS.ProcessEnv
  /** Folders whose children are Java homes. */
  jvmFolders?: string[]
}

/** Where Linux distributions, macOS, Homebrew, SDKMAN and IntelliJ put Java. */
const JVM_FOLDERS = [
  '/usr/lib/jvm',
  '/usr/lib64/jvm',
  '/usr/java',
  '/opt/java',
  '/opt',
  '/Library/Java/JavaVirtualMachines',
  '/opt/homebrew/opt',
  '/usr/local/opt',
  path.join(os.homedir(), 'Library/Java/JavaVirtualMachines'),
  path.join(os.homedir(), '.sdkman/candidates/java'),
  path.join(os.homedir(), '.jdks'),
]

/** Where a home lies within a child of such a folder: plain, macOS bundle, Homebrew formula. */
const HOME_WITHIN = ['', 'Contents/Home', 'libexec/openjdk.jdk/Contents/Home']

/**
 * The first Java of at least this version: of JAVA_HOME, then of PATH, then the newest of the usual folders.
 * @throws RelayError STACK_PREREQUISITE_MISSING saying what to install
 */
export async function findJava(neededBy: string, minimum: number, search: JavaSearch = {}): Promise<Java> {
  const env = search.env ?? process.env
  const found: Java[] = []
  for (const home of await preferredHomes(env)) found.push(...(await javaAt(home)))
  const others = await Promise.all((await installedHomes(search.jvmFolders ?? JVM_FOLDERS)).map(javaAt))
  found.push(...others.flat().sort((a, b) => b.major - a.major))
  const java = found.find((each) => each.major >= minimum)
  if (java) return java
  const instead =
    found.length > 0 ? `only Java ${[...new Set(found.map((each) => each.major))].join(', ')}` : 'none'
  throw new RelayError(
    'STACK_PREREQUISITE_MISSING',
    `${neededBy} needs Java ${minimum} or newer, and ${instead} was found (looked in JAVA_HOME, on PATH and in the usual folders): ` +
      'install a JDK of version 21 or newer and set JAVA_HOME to it, or use `docker compose up`.',
  )
}

async function preferredHomes(env: NodeJS.ProcessEnv): Promise<string[]> {
  const homes = env.JAVA_HOME ? [env.JAVA_HOME] : []
  const program = await findOnPath('java', env)
  if (program) homes.push(path.dirname(path.dirname(await realpath(program))))
  return homes
}

async function installedHomes(folders: string[]): Promise<string[]> {
  const children = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(folder).catch(() => [])
      return names.flatMap((name) => HOME_WITHIN.map((within) => path.join(folder, name, within)))
    }),
  )
  return children.flat()
}

/** Empty when there is no Java at this place. */
async function javaAt(home: string): Promise<Java[]> {
  const program = path.join(home, 'bin', 'java')
  if (!(await isFile(program))) return []
  const release = await readFile(path.join(home, 'release'), 'utf8').catch(() => '')
  const major = parseJavaMajor(release) ?? parseJavaMajor(await askVersion(program))
  return major === undefined ? [] : [{ program, home, major }]
}

async function askVersion(program: string): Promise<string> {
  return promisify(execFile)(program, ['-version'], { timeout: 10_000 }).then(
    ({ stderr }) => stderr,
    () => '',
  )
}

/** The major version in a JDK's `release` file or in what `java -version` says; 8 for the old style 1.8. */
export function parseJavaMajor(text: string): number | undefined {
  const match = /(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)/.exec(text)
  return match ? Number(match[1]) : undefined
}

export async function findOnPath(
  program: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, program)
    if (folder && (await isFile(file))) return file
  }
  return undefined
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  )
}
