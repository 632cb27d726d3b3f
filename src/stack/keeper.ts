// A process of its own that owns one local server. It is started by held-server.ts with the server's spec as the
// first line of its standard input, and offers a unix socket: every open connection is a holder. When the last
// holder is gone, however it ended, the keeper stops the server and exits. Imports Node's own modules only, so that
// it starts quickly.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { KeeperMessage, ServerEnd, ServerSpec } from './held-server.js'

/** How long a server may take to stop before it is killed; a holder's death must leave nothing behind after 10 s. */
const STOP_GRACE_MS = 6_000
/** How long processes of the server may outlive it: those of Postgres find out by themselves. */
const REST_GRACE_MS = 2_000

const [specText] = await once(createInterface({ input: process.stdin }), 'line')
const spec: ServerSpec = JSON.parse(specText)

type Holder = Socket | typeof process.stdin
const holders = new Set<Holder>()
const connections = new Set<Socket>()
let stopping = false

const listener = createServer({ allowHalfOpen: true }, (connection) => {
  connections.add(connection)
  connection.on('error', () => connection.destroy())
  connection.on('close', () => connections.delete(connection))
  // Who comes while the server stops is left without a greeting: it tries again once this connection is closed.
  if (stopping || server.pid === undefined) return
  holders.add(connection)
  connection.resume()
  connection.on('end', () => leave(connection))
  connection.on('close', () => leave(connection))
  connection.write(line({ event: 'running', pid: server.pid, ports: spec.ports }))
})
listener.listen(spec.socket)
await once(listener, 'listening')

// A group of its own, so that whatever the server starts can be killed with it. The fourth stream is never written
// to: processes of the server inherit it, and it closes when the last of them is gone.
const server = spawn(spec.command, spec.args, {
  cwd: spec.folder,
  env: spec.env,
  detached: true,
  stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  ...spec.user,
})
server.on('error', (error) => finish({ code: null, reason: error.message }))
server.on('exit', (code, signal) => {
  signalGroup('SIGKILL')
  const reason = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`
  server.on('close', () => finish({ code, reason }))
  setTimeout(() => finish({ code, reason }), REST_GRACE_MS).unref()
})
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)

// The process that started the keeper holds the server through this pipe until its own connection is made.
holders.add(process.stdin)
process.stdin.on('close', () => leave(process.stdin))
if (process.stdin.destroyed) leave(process.stdin)

function leave(holder: Holder): void {
  if (!holders.delete(holder)) return
  // The last one is hung up on only when the server is down: that is how it learns of it.
  if (holders.size === 0) stop()
  else holder.destroy()
}

function stop(): void {
  if (stopping) return
  stopping = true
  server.kill(spec.stopSignal)
  setTimeout(() => signalGroup('SIGKILL'), STOP_GRACE_MS).unref()
}

function signalGroup(signal: NodeJS.Signals): void {
  if (server.pid === undefined) return
  try {
    process.kill(-server.pid, signal)
  } catch {
    // Nothing of the group is left.
  }
}

/** Closing the listener also removes the socket file, so that the next start finds the place free. */
function finish(end: ServerEnd): void {
  // Standard output is the server's log.
  if (!stopping) console.log(`${spec.command}: ${end.reason}`)
  stopping = true
  listener.close()
  process.stdin.destroy()
  for (const connection of connections) connection.end(line({ event: 'ended', ...end }))
  setTimeout(() => process.exit(), 500).unref()
}

function line(message: KeeperMessage): string {
  return `${JSON.stringify(message)}\n`
}
