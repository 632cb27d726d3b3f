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
  /** Runs one command to its end, without a terminal. */
  run(args: string[], options?: { stdin?: string | Buffer; env?: Record<string, string> }): Promise<Ended>
  /** Starts a command; it is killed with the test. */
  start(args: string[], env?: Record<string, string>): ChildProcess
}

/** The real program, with a database and a master key of the test's own. */
export async function commandLine(t: TestContext): Promise<CommandLine> {
  const { url: databaseUrl } = await createTestDatabase(t)
  const masterKey = randomBytes(32).toString('base64')
  const start: CommandLine['start'] = (args, env = {}) => {
    const child = spawn(process.execPath, [...programArguments(), ...args], {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        DATABASE_URL: databaseUrl,
        BPMN_RELAY_MASTER_KEY: masterKey,
        BPMN_RELAY_HTTP_PORT: 'off',
        ...env,
      },
    })
    t.after(() => child.kill('SIGKILL'))
    return child
  }
  return {
    databaseUrl,
    start,
    async run(args, { stdin = '', env = {} } = {}) {
      const child = start(args, env)
      child.stdin?.end(stdin)
      return await ended(child)
    },
  }
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

/**
 * The same program within this process, with a database of the test's own: for files that run so many commands that
 * starting Node.js for each would take minutes. One command at a time.
 */
export async function commandsInProcess(t: TestContext): Promise<Pick<CommandLine, 'databaseUrl' | 'run'>> {
  const { url: databaseUrl } = await createTestDatabase(t)
  const masterKey = randomBytes(32).toString('base64')
  return {
    databaseUrl,
    async run(args, { env = {} } = {}) {
      const printed = { stdout: '', stderr: '' }
      const restore = { ...process.env }
      Object.assign(process.env, { DATABASE_URL: databaseUrl, BPMN_RELAY_MASTER_KEY: masterKey, ...env })
      const mocks = [
        t.mock.method(console, 'log', (text: string) => {
          printed.stdout += `${text}\n`
        }),
        t.mock.method(console, 'error', (text: string) => {
          printed.stderr += `${text}\n`
        }),
        t.mock.method(process.stderr, 'write', (text: string) => {
          printed.stderr += text
          return true
        }),
      ]
      try {
        return { code: await runCli(args), ...printed }
      } finally {
        for (const { mock } of mocks) mock.restore()
        process.env = restore
      }
    },
  }
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
