import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { programArguments } from './program.js'
import { waitFor } from './wait-for.js'

const READY = 'taking jobs'
const LOG_LINES_SHOWN = 40

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** The real program as a child process. */
export interface WorkerProcess {
  /** Everything it has logged so far. */
  log(): string
  /** Ends it as a crash would. */
  kill(): Promise<Exit>
  /** Asks it to stop, as an orchestrator does; resolves once it has ended by itself. */
  terminate(): Promise<Exit>
}

/** Starts a worker; resolves once it takes jobs. It is killed at the end of the test at the latest. */
export async function startWorker(t: TestContext, env: Record<string, string>): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [...programArguments(), 'start'], {
    env: { ...process.env, BPMN_RELAY_HTTP_PORT: 'off', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const killWithParent = () => child.kill('SIGKILL')
  process.on('exit', killWithParent)
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ended = exitOf(child)
  void ended.then(() => process.off('exit', killWithParent))

  function send(signal: NodeJS.Signals): Promise<Exit> {
    child.kill(signal)
    return ended
  }

  t.after(async () => {
    await send('SIGKILL')
    if (!('passed' in t && t.passed === true)) {
      t.diagnostic(`the worker's last words:\n${log.split('\n').slice(-LOG_LINES_SHOWN).join('\n')}`)
    }
  })
  await waitFor('the worker to take jobs', () => {
    if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}:\n${log}`)
    return log.includes(READY)
  })
  return { log: () => log, kill: () => send('SIGKILL'), terminate: () => send('SIGTERM') }
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode }
}
