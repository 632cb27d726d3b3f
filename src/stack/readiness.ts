import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { messageOf, RelayError } from '../core/errors.js'
import { pause, withTimeLimit } from '../core/time-limit.js'
import type { HeldServer } from './held-server.js'

const PROBE_PAUSE_MS = 150
const LOG_LINES_SHOWN = 25

/**
 * Waits until `probe` stops throwing. Gives the server back and throws when it ends or is not ready in time.
 * @throws RelayError STACK_SERVER_FAILED with the end of the server's log
 */
export async function waitUntilReady(
  server: HeldServer,
  probe: () => Promise<void>,
  limitMs: number,
): Promise<void> {
  let ended: string | undefined
  server.ended.then((end) => {
    ended = end.reason
  })
  const limit = performance.now() + limitMs
  for (;;) {
    const problem = await withTimeLimit(probe(), 5_000, () => new Error('no answer within 5 s')).then(
      () => undefined,
      messageOf,
    )
    if (problem === undefined) return
    if (performance.now() > limit) ended ??= `it was not ready within ${limitMs / 1000} s (${problem})`
    if (ended !== undefined) {
      await server.release()
      throw await serverFailure(server, ended)
    }
    await pause(PROBE_PAUSE_MS)
  }
}

export async function serverFailure(
  server: { name: string; logFile: string },
  reason: string,
): Promise<RelayError> {
  return new RelayError(
    'STACK_SERVER_FAILED',
    `${server.name} did not start: ${reason}. The end of ${server.logFile}:\n${await endOfLog(server.logFile)}`,
  )
}

async function endOfLog(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines = text.trimEnd().split(/\r?\n/).slice(-LOG_LINES_SHOWN)
  return lines.map((line) => `  | ${line}`).join('\n')
}

/** A probe: the port takes connections. */
export async function acceptsConnections(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject)
    })
  } finally {
    socket.destroy()
  }
}
