import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

/** What is read of an answer; nobody needs more of it than its beginning. */
const MOST_ANSWER_BYTES = 16 * 1024

export interface HttpAnswer {
  status: number
  /** Of a header in lower case. */
  header(name: string): string | undefined
  /** At most its first 16 KiB. */
  text: string
}

export interface HttpPost {
  headers: Record<string, string>
  body: string
  /** Of name look-up, connection and answer together. */
  timeoutMs: number
  /** PEM text; undefined: the authorities Node.js trusts. */
  ca: string | undefined
}

/**
 * One request on a connection of its own; redirects are answers like others. Certificates are always verified,
 * whatever NODE_TLS_REJECT_UNAUTHORIZED says.
 * @throws Error of the connection, or one that says there was no whole answer in time
 */
export function post(url: URL, { headers, body, timeoutMs, ca }: HttpPost): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      agent: false,
      signal,
    }
    const failed = (error: Error) =>
      reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error)
    const request =
      url.protocol === 'https:'
        ? requestHttps(url, { ...options, rejectUnauthorized: true, ...(ca !== undefined && { ca }) })
        : requestHttp(url, options)
    request.on('error', failed)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const done = () => {
        resolve({
          status: response.statusCode ?? 0,
          header: (name) => [response.headers[name] ?? []].flat()[0],
          text: Buffer.concat(chunks).subarray(0, MOST_ANSWER_BYTES).toString('utf8'),
        })
        request.destroy()
      }
      response.on('error', failed)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes >= MOST_ANSWER_BYTES) done()
      })
      response.on('end', done)
    })
    request.end(body)
  })
}
