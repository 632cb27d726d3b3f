import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { RelayError } from '../../src/core/errors.js'
import { pause } from '../../src/core/time-limit.js'
import { startKafka } from '../../src/stack/kafka.js'
import { holdPostgres } from '../../src/stack/postgres.js'
import { startStack } from '../../src/stack/stack.js'

const OWNER = fileURLToPath(new URL('../helpers/server-owner.ts', import.meta.url))
const quietly = () => undefined

describe('when the process that owns servers ends', () => {
  for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
    it(`by ${signal}, no process of Postgres is left after 10 s`, async (t) => {
      const owner = await startOwner(t, await dataFolder(t))
      const pids = await descendants(owner.pid)
      assert.ok(pids.length > 2, 'a keeper, Postgres and its helpers')
      owner.process.kill(signal)
      await until(10_000, async () => (await living(pids)).length === 0)
    })
  }

  it('by SIGKILL, no process of a broker is left after 10 s', async (t) => {
    const owner = await startOwner(t, await dataFolder(t), 'kafka')
    const pids = await descendants(owner.pid)
    assert.ok(pids.length >= 2, 'a keeper and its broker')
    owner.process.kill('SIGKILL')
    await until(10_000, async () => (await living(pids)).length === 0)
  })

  it('by SIGKILL while servers are starting, no process is left after 10 s', async (t) => {
    const folder = await dataFolder(t)
    const owner = spawnOwner(t, folder, 'kafka')
    await until(30_000, async () => (await descendants(owner.pid ?? 0)).length >= 2)
    const pids = await descendants(owner.pid ?? 0)
    owner.kill('SIGKILL')
    await until(10_000, async () => (await living(pids)).length === 0)
  })
})

describe('the Postgres of a folder', () => {
  it('is shared by processes and stops with the last of them', async (t) => {
    const folder = await dataFolder(t)
    const other = await startOwner(t, folder)
    const mine = await holdPostgres(folder)
    assert.equal(mine.url, other.addresses.postgres?.url)
    other.process.kill('SIGKILL')
    await once(other.process, 'exit')
    await query(mine.url, 'select 1')
    await mine.release()
    await assert.rejects(query(mine.url, 'select 1'), /ECONNREFUSED/)
  })

  it('is started once when several processes ask at the same time', async (t) => {
    const folder = await dataFolder(t)
    const owners = await Promise.all([startOwner(t, folder), startOwner(t, folder), startOwner(t, folder)])
    for (const owner of owners) owner.process.kill('SIGKILL')
    assert.equal(new Set(owners.map((owner) => owner.addresses.postgres?.url)).size, 1)
  })

  it('keeps its data and its address over a restart', async (t) => {
    const folder = await dataFolder(t)
    const before = await holdPostgres(folder)
    await query(before.url, 'create table kept as select 42 as answer')
    await before.release()
    const after = await holdPostgres(folder)
    t.after(() => after.release())
    assert.equal(after.url, before.url)
    assert.deepEqual(await query(after.url, 'select answer from kept'), [{ answer: 42 }])
  })

  it('comes back with its data after a crash', async (t) => {
    const folder = await dataFolder(t)
    const before = await holdPostgres(folder)
    await query(before.url, 'create table kept as select 42 as answer')
    await before.kill()
    const after = await holdPostgres(folder)
    t.after(() => after.release())
    assert.deepEqual(await query(after.url, 'select answer from kept'), [{ answer: 42 }])
  })

  it('works in a folder whose path is longer than a socket address may be', async (t) => {
    const folder = path.join(await dataFolder(t), 'deep'.repeat(30))
    const { url, release } = await holdPostgres(folder)
    t.after(release)
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  it('shows the end of its log when it does not start', async (t) => {
    const folder = await dataFolder(t)
    await (await holdPostgres(folder)).release()
    await appendFile(path.join(folder, 'data', 'postgresql.conf'), '\nthis is = no = setting\n')
    await assert.rejects(holdPostgres(folder), (error) => {
      assert.ok(error instanceof RelayError)
      assert.equal(error.code, 'STACK_SERVER_FAILED')
      assert.match(error.message, /^postgres did not start: /)
      assert.match(error.message, /syntax error in file .*postgresql\.conf/)
      return true
    })
  })

  const rootOnly = process.getuid?.() === 0 ? {} : { skip: 'needs root' }
  it('says so when root gives it a folder that its user cannot reach', rootOnly, async (t) => {
    const folder = await dataFolder(t)
    await chmod(folder, 0o700)
    await assert.rejects(holdPostgres(path.join(folder, 'postgres')), (error) => {
      assert.ok(error instanceof RelayError)
      assert.equal(error.code, 'STACK_PREREQUISITE_MISSING')
      assert.match(error.message, /that user cannot reach .*postgres/)
      return true
    })
  })

  it('leaves its password nowhere but in a file for its owner', async (t) => {
    const before = await readdir(os.tmpdir())
    const folder = await dataFolder(t)
    const { url, release } = await holdPostgres(folder)
    t.after(release)
    const left = (await readdir(os.tmpdir())).filter(
      (name) => !before.includes(name) && /passw|pg-/.test(name),
    )
    assert.deepEqual(left, [])
    const { stdout } = await promisify(execFile)('grep', ['-rlF', new URL(url).password, folder])
    assert.equal(stdout.trim(), path.join(folder, 'password'))
  })
})

describe('a stack', () => {
  it('starts empty, whatever an earlier one left in its folder', async (t) => {
    const options = { dataFolder: await dataFolder(t), servers: ['postgres'], onProgress: quietly } as const
    const earlier = await startStack(options)
    await query(earlier.addresses.postgres?.url, 'create table left_over ()')
    await earlier.stop()
    const later = await startStack(options)
    t.after(() => later.stop())
    await assert.rejects(query(later.addresses.postgres?.url, 'select from left_over'), /does not exist/)
  })

  it('refuses a folder in which another stack is running', async (t) => {
    const options = { dataFolder: await dataFolder(t), servers: ['postgres'], onProgress: quietly } as const
    const running = await startStack(options)
    t.after(() => running.stop())
    await assert.rejects(startStack(options), /postgres in .* is in use by another process/)
  })

  it('removes no data that no stack has made', async (t) => {
    const folder = await dataFolder(t)
    await mkdir(path.join(folder, 'postgres'))
    await writeFile(path.join(folder, 'postgres', 'precious'), '')
    const options = { dataFolder: folder, servers: ['postgres'], onProgress: quietly } as const
    await assert.rejects(startStack(options), /was not made by a local stack/)
    assert.deepEqual(await readdir(path.join(folder, 'postgres')), ['precious'])
  })

  it('says in one sentence what to do when Maven is missing', async (t) => {
    const cache = await dataFolder(t)
    const before = { ...process.env }
    t.after(() => Object.assign(process.env, before))
    Object.assign(process.env, { XDG_CACHE_HOME: cache, HOME: cache, PATH: cache, MAVEN_HOME: '' })
    const options = { dataFolder: path.join(cache, 'data'), onProgress: quietly }
    await assert.rejects(startStack(options), (error) => {
      assert.ok(error instanceof RelayError)
      assert.equal(error.code, 'STACK_PREREQUISITE_MISSING')
      assert.match(error.message, /no `mvn` was found on PATH: install Maven .*docker compose up/)
      assert.doesNotMatch(error.message, /\n/)
      return true
    })
  })

  it('brings a killed Kafka back at its address with its messages', async (t) => {
    const options = { folder: await dataFolder(t), onProgress: quietly }
    const before = await startKafka(options)
    const kafka = new Kafka({ brokers: [before.bootstrapServers], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 'kept', messages: [{ value: 'still here', partition: 0 }] })
    await producer.disconnect()
    await before.kill()
    const after = await startKafka(options)
    t.after(() => after.stop())
    assert.equal(after.bootstrapServers, before.bootstrapServers)
    const admin = kafka.admin()
    t.after(() => admin.disconnect())
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets('kept')
    assert.equal(offsets.find(({ partition }) => partition === 0)?.high, '1')
  })
})

async function dataFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'stack-'))
  // Postgres does not run as root, but as a user who must be able to come here.
  await chmod(folder, 0o755)
  t.after(() => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 250 }))
  return folder
}

function spawnOwner(t: TestContext, folder: string, ...servers: string[]) {
  const owner = spawn(process.execPath, ['--import', 'tsx', OWNER, folder, ...servers], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(async () => {
    const pids = await descendants(owner.pid ?? 0)
    owner.kill('SIGKILL')
    await until(10_000, async () => (await living(pids)).length === 0)
  })
  return owner
}

async function startOwner(t: TestContext, folder: string, ...servers: string[]) {
  const owner: ChildProcess = spawnOwner(t, folder, ...servers)
  assert.ok(owner.stdout && owner.pid)
  const [line] = await once(createInterface({ input: owner.stdout }), 'line')
  const addresses: { postgres?: { url: string } } = JSON.parse(String(line))
  return { process: owner, pid: owner.pid, addresses }
}

/** All processes below this one. */
async function descendants(pid: number): Promise<number[]> {
  const all = await processes()
  const below = (parent: number): number[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each.pid, ...below(each.pid)])
  return below(pid)
}

async function living(pids: number[]): Promise<number[]> {
  const all = await processes()
  return pids.filter((pid) => all.some((each) => each.pid === pid))
}

async function processes(): Promise<Array<{ pid: number; parent: number }>> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,stat='])
  const rows = stdout
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  // A zombie is only an entry that its parent has not read yet.
  return rows
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }))
}

async function until(limitMs: number, condition: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > limit) assert.fail(`not so within ${limitMs} ms`)
    await pause(100)
  }
}

async function query(url: string | undefined, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}
