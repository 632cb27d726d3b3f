import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { settingsInvalid } from './settings.js'

const pem = (title: string, description: string) => Type.String({ title, description, minLength: 1 })

/** Settings of TLS, the same for every kind of broker. */
export const tlsSchema = Type.Object(
  {
    enabled: Type.Boolean({
      title: 'Use TLS',
      description: 'Encrypt the connections to the brokers. The other settings of TLS need this one.',
      default: false,
    }),
    ca: Type.Optional(
      pem(
        'CA certificates',
        'PEM text of the authorities that sign the certificates of the brokers. Default: those Node.js trusts.',
      ),
    ),
    cert: Type.Optional(
      pem('Client certificate', 'PEM text, with its chain if there is one; needs the private key.'),
    ),
    key: Type.Optional(
      Type.String({
        title: 'Private key',
        description: 'PEM text of the key of the client certificate.',
        minLength: 1,
        secret: true,
      }),
    ),
    passphrase: Type.Optional(
      Type.String({
        title: 'Passphrase',
        description: 'Opens the private key where that is encrypted.',
        minLength: 1,
        secret: true,
      }),
    ),
    serverName: Type.Optional(
      Type.String({
        title: 'Server name',
        description: "Name the brokers' certificates must carry. Default: the host of each broker.",
        minLength: 1,
      }),
    ),
    rejectUnauthorized: Type.Boolean({
      title: 'Verify the brokers',
      description: 'Refuse a broker whose certificate cannot be verified. Turn off for tests only.',
      default: true,
    }),
  },
  { title: 'TLS', default: {}, additionalProperties: false },
)

export type Tls = Static<typeof tlsSchema>

/**
 * Finds out before anything connects what can be wrong with certificates and keys by themselves.
 * @throws RelayError SETTINGS_INVALID
 */
export function checkTls(ssl: Tls): void {
  const { ca, cert, key, passphrase } = ssl
  if ((cert === undefined) !== (key === undefined)) {
    const [present, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key']
    throw settingsInvalid(`ssl.${present} is set but ssl.${missing} is not: a client certificate needs both`)
  }
  const unused = Object.keys(ssl).find((name) => name !== 'enabled' && name !== 'rejectUnauthorized')
  if (!ssl.enabled && unused !== undefined) {
    throw settingsInvalid(
      `ssl.${unused} is set but ssl.enabled is false: set ssl.enabled to true or remove it`,
    )
  }
  if (ca !== undefined) firstCertificate('ssl.ca', ca)
  if (passphrase !== undefined && key === undefined) {
    throw settingsInvalid('ssl.passphrase is set but ssl.key is not: remove it or set ssl.key and ssl.cert')
  }
  if (cert === undefined || key === undefined) return
  if (!firstCertificate('ssl.cert', cert).checkPrivateKey(privateKey(key, passphrase))) {
    throw settingsInvalid(
      'ssl.key does not belong to the certificate in ssl.cert: give the key that certificate was made for, and the certificate before its chain',
    )
  }
}

/** @throws RelayError SETTINGS_INVALID where a text is not the PEM text of certificates. */
export function firstCertificate(field: string, text: string): X509Certificate {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  const [first] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw settingsInvalid(
        `${field} holds a certificate that cannot be read, number ${index + 1} of ${blocks.length}: give its PEM text unchanged, line breaks included`,
        cause,
      )
    }
  })
  if (first) return first
  throw settingsInvalid(
    `${field} holds no certificate: give PEM text, which begins with -----BEGIN CERTIFICATE-----, not the name of a file`,
  )
}

function privateKey(key: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) })
  } catch (cause) {
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
      throw settingsInvalid(
        'ssl.key holds no private key: give PEM text, which begins with -----BEGIN PRIVATE KEY----- or alike, not the name of a file',
        cause,
      )
    }
    if (!/ENCRYPTED/.test(key)) {
      throw settingsInvalid(
        'ssl.key holds a private key that cannot be read: give its PEM text unchanged, line breaks included',
        cause,
      )
    }
    throw settingsInvalid(
      passphrase === undefined
        ? 'ssl.key is encrypted but ssl.passphrase is not set: set it'
        : 'ssl.passphrase does not open ssl.key: correct it',
      cause,
    )
  }
}
