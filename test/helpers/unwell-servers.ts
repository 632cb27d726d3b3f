import { once } from 'node:events'
import http2 from 'node:http2'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** An address at which nothing listens. */
export async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = addressOf(server.address())
  server.close()
  await once(server, 'close')
  return address
}

/** A server that accepts every connection, reads what comes and never answers. */
export async function hangingServer(t: {
  after(close: () => void): void
}): Promise<{ address: string; connections: () => number }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined).resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { address: addressOf(server.address()), connections: () => sockets.length }
}

/** An HTTP/2 server that ends every call without an answer, as one that is just going down may. */
export async function cuttingServer(t: TestContext): Promise<string> {
  const server = http2.createServer()
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream) => stream.on('error', () => undefined).close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return addressOf(server.address())
}

export interface Valve {
  address: string
  /** From now on nothing passes, though connections stay and new ones are accepted. */
  shut(): void
  open(): void
}

/** An open way to a server that can be shut. What is sent while it is shut is lost. */
export async function openValve(t: TestContext, target: string): Promise<Valve> {
  const [host, port] = target.split(':')
  const sockets = new Set<Socket>()
  let isShut = false
  const server = createServer((inner) => {
    const outer = connect(Number(port), host)
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => isShut || to.write(chunk))
      from.on('error', () => to.destroy()).on('close', () => to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    address: addressOf(server.address()),
    shut() {
      isShut = true
    },
    open() {
      isShut = false
    },
  }
}

function addressOf(address: ReturnType<ReturnType<typeof createServer>['address']>): string {
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return `${address.address}:${address.port}`
}
