import kafkajs from 'kafkajs'
import type { KafkaSettings } from './settings.js'

// CommonJS: Node.js sees the error classes only on the default export.
const { KafkaJSConnectionError, KafkaJSError } = kafkajs

/** The settings a failure to connect may come from. */
export type Circumstances = Pick<KafkaSettings, 'bootstrapServers' | 'ssl' | 'sasl'>

/** How Node.js names what a broker of a TLS connection refused. */
const TLS_ALERT = /^ERR_SSL_.*ALERT/

/** How it names a broker whose certificate leads to no trusted authority. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const NO_TLS = 'the broker seems to speak no TLS at this port: correct the port, or set ssl.enabled to false'

/** Whether a broker refused the TLS connection as it was offered. */
export function isTlsRefusal(error: unknown): boolean {
  return TLS_ALERT.test(codeOf(error))
}

/** What to look at after a login failed, with its value. */
export function loginCure({ sasl }: Circumstances): string {
  const user = sasl?.username === undefined ? '' : ` of sasl.username "${sasl.username}"`
  return `check sasl.mechanism ${sasl?.mechanism ?? '(not set)'} and the credentials under sasl${user}`
}

/** The settings to look at after a connection failed, with their values; undefined where none is to blame. */
export function connectionCure(error: unknown, { ssl, sasl }: Circumstances): string | undefined {
  if (!(error instanceof KafkaJSConnectionError)) return undefined
  if (error.name === 'KafkaJSConnectionClosedError') {
    const lacking = [
      ...(ssl.enabled ? [] : ['TLS (ssl.enabled is false)']),
      ...(sasl ? [] : ['a login (sasl is not set)']),
    ]
    return lacking.length > 0 ? `brokers do so where they demand ${lacking.join(' or ')}` : undefined
  }
  if (isTlsRefusal(error)) {
    return ssl.cert === undefined
      ? 'the broker may demand a client certificate: set ssl.cert and ssl.key'
      : 'the broker does not accept the client certificate in ssl.cert: give one of an authority it trusts'
  }
  const code = codeOf(error)
  if (UNTRUSTED.has(code)) {
    const where = ssl.ca === undefined ? "Node.js's own list (ssl.ca is not set)" : 'ssl.ca'
    return `no authority in ${where} signed the certificate of the broker: set ssl.ca to the certificate of the one that did`
  }
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'the certificate of the broker is to be renewed'
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const wrong = ssl.serverName === undefined ? 'the address' : `ssl.serverName "${ssl.serverName}"`
      return `correct ${wrong}, or set ssl.serverName to a name in the certificate of the broker`
    }
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return NO_TLS
    case 'ECONNRESET':
      // A Kafka port without TLS takes the first bytes for a request that is far too large, and hangs up.
      return error.message.includes('before secure TLS connection') ? NO_TLS : undefined
    default:
      return undefined
  }
}

function codeOf(error: unknown): string {
  return error instanceof KafkaJSError && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
