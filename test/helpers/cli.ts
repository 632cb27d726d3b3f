import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCli } from '../../src/cli/run.js'
import { createTestDatabase } from './database.js'
import { programArguments } from './program.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Ended {
  /** Null when a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

export interface CommandLine {
  databaseUrl: string
  /**
   * Runs one command to its end, without a terminal. Within this process, as starting Node.js for each of
   * hundreds would take minutes; only a command that is given input, or whose output is a stream, has one of its own.
   */
  run(args: string[], options?: { stdin?: string | Buffer; env?: Record<string, string> }): Promise<Ended>
  /** Starts a command in a process of its own; it is killed with the test. */
  start(args: string[], env?: Record<string, string>): ChildProcess
}

/** The program, with a database, migrated unless it is to be empty, and a master key of the test's own. */
export async function commandLine(t: TestContext, of: { isEmpty?: boolean } = {}): Promise<CommandLine> {
  const { url: databaseUrl } = await createTestDatabase(t, of)
  const own = {
    DATABASE_URL: databaseUrl,
    BPMN_RELAY_MASTER_KEY: randomBytes(32).toString('base64'),
    BPMN_RELAY_HTTP_PORT: 'off',
  }
  const start: CommandLine['start'] = (args, env = {}) => {
    const child = spawn(process.execPath, [...programArguments(), ...args], {
      cwd: root,
      env: { ...machine(), ...own, ...env },
    })
    t.after(() => child.kill('SIGKILL'))
    return child
  }
  return {
    databaseUrl,
    start,
    async run(args, { stdin, env = {} } = {}) {
      if (stdin === undefined && !isStreaming(args)) return await runHere(t, args, { ...own, ...env })
      const child = start(args, env)
      child.stdin?.end(stdin)
      return await ended(child)
    },
  }
}

/** Whether a command writes to the output itself, which within this process belongs to the test runner. */
function isStreaming([group, command]: string[]): boolean {
  return group === 'consume' || command === 'export'
}

let before: Promise<unknown> = Promise.resolve()

/** Output and environment belong to one command at a time. */
function runHere(t: TestContext, args: string[], env: Record<string, string>): Promise<Ended> {
  const run = before.then(() => runAlone(t, args, env))
  before = run.catch(() => undefined)
  return run
}

async function runAlone(t: TestContext, args: string[], env: Record<string, string>): Promise<Ended> {
  const printed = { stdout: '', stderr: '' }
  const kept = setEnvironment({ ...machine(), ...env })
  const print = (channel: 'stdout' | 'stderr') => (text: string) => {
    printed[channel] += `${text}\n`
  }
  const toRunner = process.stdout.write.bind(process.stdout)
  const mocks = [
    t.mock.method(console, 'log', print('stdout')),
    t.mock.method(console, 'error', print('stderr')),
    // What tests tell their runner is bytes.
    t.mock.method(process.stdout, 'write', (chunk: string | Uint8Array) => {
      if (typeof chunk !== 'string') return toRunner(chunk)
      printed.stdout += chunk
      return true
    }),
    t.mock.method(process.stderr, 'write', (text: string) => {
      printed.stderr += text
      return true
    }),
  ]
  try {
    const code = await runCli(args)
    return { code, ...printed }
  } finally {
    for (const { mock } of mocks) mock.restore()
    setEnvironment(kept)
  }
}

/** What a command needs of the environment of the test. */
function machine(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME }
}

/** @returns the variables there were before */
function setEnvironment(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const were = { ...process.env }
  for (const name of Object.keys(were)) delete process.env[name]
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) process.env[name] = value
  return were
}

/** What a command has printed by its end. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('the output of the command is not piped')
  const [out, err, code] = await Promise.all([
    text(stdout),
    text(stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ])
  return { code, stdout: out, stderr: err }
}

/** What a command prints, which must succeed. */
export async function ok(cli: Pick<CommandLine, 'run'>, args: string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await cli.run(args, stdin === undefined ? {} : { stdin })
  assert.equal(code, 0, stderr)
  return stdout
}

/** A command must fail with this exit code and say all that is expected, nothing else. */
export async function refused(
  cli: Pick<CommandLine, 'run'>,
  args: string[],
  code: number,
  ...expected: RegExp[]
): Promise<void> {
  const result = await cli.run(args)
  assert.equal(result.code, code, result.stderr)
  assert.equal(result.stdout, '')
  assert.doesNotMatch(result.stderr, /\n\s+at /, 'a stack trace is for faults of the program only')
  for (const text of expected) assert.match(result.stderr, text)
}
