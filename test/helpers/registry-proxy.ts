import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** Stands before a real schema registry; tells what was asked of it. */
export interface RegistryProxy {
  url: string
  /** Requests so far, such as `GET /subjects/orders-value/versions/latest`. */
  readonly asked: string[]
  /** Of the latest request. */
  readonly authorization: string | undefined
  /** Answers with this status from now on, `silent`: never; undefined: what the registry says. */
  fault: number | 'silent' | undefined
}

export async function registryProxy(t: TestContext, target: string): Promise<RegistryProxy> {
  const asked: string[] = []
  const state: { fault: RegistryProxy['fault']; authorization: string | undefined } = {
    fault: undefined,
    authorization: undefined,
  }
  const server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    state.authorization = request.headers.authorization
    if (state.fault === 'silent') return
    if (state.fault !== undefined) {
      response.writeHead(state.fault, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error_code: state.fault, message: 'a fault of the test' }))
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const answer = await fetch(target + request.url, {
      method: request.method ?? 'GET',
      headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    asked,
    get authorization() {
      return state.authorization
    },
    get fault() {
      return state.fault
    },
    set fault(fault) {
      state.fault = fault
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return address.port
}
