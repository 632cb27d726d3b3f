import { once } from 'node:events'
import http2 from 'node:http2'
import type { TestContext } from 'node:test'
import { waitFor } from './wait-for.js'

/** What a worker told the engine about a job. */
export interface Settled {
  kind: 'complete' | 'fail' | 'bpmnError'
  jobKey: string
  /** Of a failure: retries the job has left; 0 raises an incident. */
  retries: number
  backOffMs: number
  /** Of a BPMN error. */
  code: string
  message: string
  variables: Record<string, unknown>
  /** gRPC status the engine answered with; 0: accepted. Undefined: no answer yet. */
  status: number | undefined
}

export interface GatewayProxy {
  /** `host:port` for workers. */
  address: string
  settled: Settled[]
  /** The `authorization` header of each call so far; undefined where there was none. */
  authorizations: (string | undefined)[]
  /** The first settlement, of any job or of one, that the engine accepted. */
  accepted(kind: Settled['kind'], jobKey?: string): Promise<Settled>
  /** From now on keeps completions to itself: the engine never learns of them, the worker gets no answer. */
  loseCompletions(): void
  /** From now on lets completions through. */
  passCompletions(): void
  /** Hangs up on everybody, and on whoever calls from now on, like a gateway that is down. */
  goAway(): void
  comeBack(): void
}

const SETTLEMENTS: Record<string, Settled['kind']> = {
  '/gateway_protocol.Gateway/CompleteJob': 'complete',
  '/gateway_protocol.Gateway/FailJob': 'fail',
  '/gateway_protocol.Gateway/ThrowError': 'bpmnError',
}

/** A gateway that hands every call on to the real one and remembers how jobs were settled; with `tls` it speaks TLS. */
export async function gatewayProxy(
  t: TestContext,
  target: string,
  tls?: { cert: string; key: string },
): Promise<GatewayProxy> {
  const settled: Settled[] = []
  const authorizations: (string | undefined)[] = []
  let losing = false
  let isAway = false
  const upstream = http2.connect(`http://${target}`)
  await once(upstream, 'connect')
  const server = tls ? http2.createSecureServer(tls) : http2.createServer()
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => {
    if (isAway) return session.on('error', () => undefined).destroy()
    sessions.add(session.on('close', () => sessions.delete(session)).on('error', () => session.destroy()))
  })
  server.on('stream', (down, headers) => {
    down.on('error', () => undefined)
    authorizations.push(headers.authorization)
    const kind = SETTLEMENTS[String(headers[':path'])]
    if (!kind) {
      down.pipe(forward(down, headers))
      return
    }
    const chunks: Buffer[] = []
    down.on('data', (chunk: Buffer) => chunks.push(chunk))
    down.on('end', () => {
      const body = Buffer.concat(chunks)
      const settlement = settlementOf(kind, body)
      settled.push(settlement)
      if (kind === 'complete' && losing) return
      forward(down, headers, (status) => {
        settlement.status = status
      }).end(body)
    })
  })

  function forward(
    down: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    onStatus: (status: number) => void = () => undefined,
  ): http2.ClientHttp2Stream {
    const up = upstream.request({ ...headers, ':authority': target })
    let trailers: http2.OutgoingHttpHeaders = {}
    const keep = (ends: http2.IncomingHttpHeaders) => {
      onStatus(Number(ends['grpc-status']))
      trailers = ends
    }
    up.on('error', () => down.close())
    up.on('trailers', keep)
    up.on('response', (answer, flags) => {
      const isWhole = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0
      if (isWhole) keep(answer)
      if (down.destroyed) return
      down.respond(answer, { endStream: isWhole, waitForTrailers: !isWhole })
      if (isWhole) return
      down.on('wantTrailers', () => down.sendTrailers(trailers))
      up.pipe(down)
    })
    down.on('close', () => up.close())
    return up
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
    upstream.destroy()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return {
    address: `127.0.0.1:${address.port}`,
    settled,
    authorizations,
    accepted: (kind, jobKey) =>
      waitFor(`a job to be settled by ${kind}`, () =>
        settled.find(
          (each) =>
            each.kind === kind && each.status === 0 && (jobKey === undefined || each.jobKey === jobKey),
        ),
      ),
    loseCompletions() {
      losing = true
    },
    passCompletions() {
      losing = false
    },
    goAway() {
      isAway = true
      for (const session of sessions) session.destroy()
    },
    comeBack() {
      isAway = false
    },
  }
}

/**
 * CompleteJobRequest {jobKey, variables}; FailJobRequest {jobKey, retries, errorMessage, retryBackOff, variables};
 * ThrowErrorRequest {jobKey, errorCode, errorMessage, variables}.
 */
function settlementOf(kind: Settled['kind'], body: Buffer): Settled {
  const fields = fieldsOf(body.subarray(GRPC_PREFIX_BYTES))
  const text = (field: number) => String(fields.get(field) ?? '')
  const common = { kind, jobKey: text(1), retries: 0, backOffMs: 0, code: '', message: '', status: undefined }
  const json = (field: number) => JSON.parse(text(field) || '{}')
  switch (kind) {
    case 'complete':
      return { ...common, variables: json(2) }
    case 'bpmnError':
      return { ...common, code: text(2), message: text(3), variables: json(4) }
    case 'fail':
      return {
        ...common,
        retries: Number(fields.get(2) ?? 0),
        message: text(3),
        backOffMs: Number(fields.get(4) ?? 0),
        variables: json(5),
      }
  }
}

/** Compression flag and length before each message. */
const GRPC_PREFIX_BYTES = 5

/** Fields of a protobuf message that has only integers and texts. */
function fieldsOf(message: Buffer): Map<number, bigint | string> {
  const fields = new Map<number, bigint | string>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at)
      at += 1
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = Number(varint())
    const wireType = tag & 7
    if (wireType === 0) fields.set(tag >> 3, varint())
    else if (wireType === 2) {
      const end = Number(varint()) + at
      fields.set(tag >> 3, message.toString('utf8', at, end))
      at = end
    } else throw new Error(`wire type ${wireType} was not expected`)
  }
  return fields
}
