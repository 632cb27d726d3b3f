import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  from: string
  to: string[]
  /** Header and body as they came. */
  text: string
  /** Whether the connection was encrypted by then. */
  secure: boolean
}

export const LOGIN = { user: 'relay', password: 'in-the-open' }

/** An SMTP server that keeps what it receives; those who log in must do so as `LOGIN`. */
export async function mailServer(
  t: TestContext,
  options: SMTPServerOptions = {},
): Promise<{ settings: { host: string; port: number }; mails: ReceivedMail[] }> {
  const mails: ReceivedMail[] = []
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    onAuth({ username, password }, _session, done) {
      if (username === LOGIN.user && password === LOGIN.password) done(null, { user: username })
      else done(Object.assign(new Error('authentication failed'), { responseCode: 535 }))
    },
    onData(stream, { envelope, secure }, done) {
      text(stream).then((received) => {
        const { mailFrom, rcptTo } = envelope
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          text: received,
          secure,
        })
        done(null, 'queued')
      }, done)
    },
    ...options,
  })
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  t.after(() => {
    for (const { _socket: socket } of server.connections) socket.destroy()
    server.close()
  })
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return { settings: { host: '127.0.0.1', port: address.port }, mails }
}

/** What refuses a command of SMTP. */
export function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode })
}
