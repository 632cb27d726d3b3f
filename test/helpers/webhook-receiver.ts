import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

export interface ReceivedRequest {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: string
}

export type Answer = (response: ServerResponse, request: ReceivedRequest) => void

/** An HTTP server that keeps what it receives and gives the answers it is told, the last one ever after. */
export async function webhookReceiver(
  t: TestContext,
  answers: Answer[],
  tls?: { cert: string; key: string },
): Promise<{ url: string; requests: ReceivedRequest[] }> {
  const requests: ReceivedRequest[] = []
  const listener: RequestListener = async (incoming, response) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://localhost')
    const request = {
      method: incoming.method ?? '',
      path: pathname,
      query: searchParams,
      headers: incoming.headers,
      body: await text(incoming),
    }
    requests.push(request)
    answers[Math.min(requests.length, answers.length) - 1]?.(response, request)
  }
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${address.port}/hook`, requests }
}

/** Answers with a status and a text, or an object as JSON. */
export function answer(
  status: number,
  body: string | object = '',
  headers: Record<string, string> = {},
): Answer {
  return (response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}
