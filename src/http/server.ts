import Fastify from 'fastify'
import type { Registry } from 'prom-client'
import { messageOf, RelayError } from '../core/errors.js'
import type { Readiness } from './readiness.js'

export interface HttpServerOptions {
  host: string
  /** 0: any free one. */
  port: number
  readiness: () => Promise<Readiness>
  metrics: Registry
}

export interface HttpServer {
  /** Where it can be reached, `http://host:port`. */
  readonly address: string
  close(): Promise<void>
}

/**
 * Answers those who watch the worker; resolves once the port is open.
 * @throws RelayError CONFIG_INVALID when the port cannot be opened.
 */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, readiness, metrics } = options
  // A client that keeps its connection open must not keep the worker from ending.
  const server = Fastify({ forceCloseConnections: true })
  server.get('/healthz', () => ({ status: 'alive' }))
  server.get('/readyz', async (_request, reply) => {
    const answer = await readiness()
    return reply.code(answer.status === 'ready' ? 200 : 503).send(answer)
  })
  server.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.metrics())
  })
  try {
    const address = await server.listen({ host, port })
    return { address, close: () => server.close() }
  } catch (cause) {
    await server.close()
    throw notOpened(host, port, cause)
  }
}

function notOpened(host: string, port: number, cause: unknown): RelayError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  switch (code) {
    case 'EADDRINUSE':
      return new RelayError(
        'CONFIG_INVALID',
        `BPMN_RELAY_HTTP_PORT is ${port}, but another program listens there on ${host}: give each worker of a machine a port of its own, 0 for any free one, or off`,
        { cause },
      )
    case 'EACCES':
      return new RelayError(
        'CONFIG_INVALID',
        `BPMN_RELAY_HTTP_PORT is ${port}, which this user may not open: choose one above 1023, 0 for any free one, or off`,
        { cause },
      )
    default:
      return new RelayError(
        'CONFIG_INVALID',
        `BPMN_RELAY_HTTP_HOST is "${host}", where port ${port} cannot be opened (${messageOf(cause)}): use an address of this machine, such as 127.0.0.1 or 0.0.0.0`,
        { cause },
      )
  }
}
