import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createTestDatabase } from './database.js'

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
  run(args: string[], options?: { stdin?: string; env?: Record<string, string> }): Promise<Ended>
  /** Starts a command; it is killed with the test. */
  start(args: string[], env?: Record<string, string>): ChildProcess
}

/** The real program, with a database and a master key of the test's own. */
export async function commandLine(t: TestContext): Promise<CommandLine> {
  const { url: databaseUrl } = await createTestDatabase(t)
  const masterKey = randomBytes(32).toString('base64')
  const start: CommandLine['start'] = (args, env = {}) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', ...args], {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        DATABASE_URL: databaseUrl,
        BPMN_RELAY_MASTER_KEY: masterKey,
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
