import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { KafkaConfig } from 'kafkajs'
import { settingsInvalid } from './errors.js'
import type { KafkaSettings } from './settings.js'

type Tls = KafkaSettings['ssl']

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

/** The part of kafkajs's options that concerns TLS. */
export function tlsOptions({ enabled, serverName, ...options }: Tls): Pick<KafkaConfig, 'ssl'> {
  return enabled ? { ssl: { ...options, ...(serverName && { servername: serverName }) } } : {}
}

function firstCertificate(field: string, text: string): X509Certificate {
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
