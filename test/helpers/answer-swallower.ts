import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface AnswerSwallower {
  address: string
  /** What stands behind it. */
  upstream: string
  /** Drops the next answer that holds `text` and cuts its connection: the request has taken effect unseen. */
  swallowNext(text: string): void
  /** Cuts the connection instead of passing on a request that holds `text`, until told otherwise. */
  refuseRequests(text: string | undefined): void
  /** How often a request was refused. */
  refused(): number
  /** Cuts all connections there are; new ones are taken. */
  cutAll(): void
  /** Replaces the upstream of `other` by `other` in all answers. */
  redirectTo(other: AnswerSwallower): void
}

/**
 * A TCP proxy before `upstream` that can lose an answer.
 * @param redirect another one that answers shall name instead of its upstream, as servers hand out addresses.
 */
export async function answerSwallower(
  t: TestContext,
  upstream: string,
  redirect?: AnswerSwallower,
): Promise<AnswerSwallower> {
  let swallow: string | undefined
  let refuse: string | undefined
  let refused = 0
  let redirected = redirect
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const [host, port] = upstream.split(':')
    const target = connect(Number(port), host)
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        target.destroy()
      })
    }
    client.on('data', (request) => {
      if (refuse === undefined || !request.includes(refuse)) return target.write(request)
      refused++
      client.destroy()
    })
    target.on('data', (answer) => {
      if (swallow === undefined || !answer.includes(swallow)) {
        return client.write(redirected ? rewritten(answer, redirected) : answer)
      }
      swallow = undefined
      client.destroy()
    })
  })
  // Ports of as many digits and bytes as those of the servers, so that no length changes in an answer.
  server.listen(await freePortLike(upstream), '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    address: `127.0.0.1:${address.port}`,
    upstream,
    swallowNext(text) {
      swallow = text
    },
    refuseRequests(text) {
      refuse = text
    },
    refused: () => refused,
    cutAll() {
      for (const socket of sockets) socket.destroy()
    },
    redirectTo(other) {
      redirected = other
    },
  }
}

/** The address as text, as name servers write it, and as the protobuf fields of the gRPC proxy. */
function rewritten(answer: Buffer, { upstream, address }: AnswerSwallower): Buffer {
  const text = answer.toString('latin1').replaceAll(upstream, address)
  return Buffer.from(text.replaceAll(asProtobuf(upstream), asProtobuf(address)), 'latin1')
}

function asProtobuf(address: string): string {
  const [host = '', port] = address.split(':')
  const bytes = []
  let rest = Number(port)
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>= 7
  }
  return `${host}\u0010${String.fromCharCode(...bytes, rest)}`
}

/** Largest number that protobuf writes in two bytes. */
const TWO_BYTES_MAX = 0x3fff

async function freePortLike(address: string): Promise<number> {
  const like = Number(address.split(':')[1])
  assert.ok(like >= 10_000, `${address} has a port of fewer than five digits`)
  const [least, most] = like <= TWO_BYTES_MAX ? [10_000, TWO_BYTES_MAX] : [TWO_BYTES_MAX + 1, 65_535]
  for (;;) {
    const port = least + Math.floor(Math.random() * (most - least + 1))
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
