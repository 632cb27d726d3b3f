import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { parseKafkaSettings } from '../../../../src/brokers/kafka/settings.js'
import {
  type Certificate,
  encryptedKey,
  makeAuthority,
  makeCertificate,
} from '../../../helpers/certificates.js'

let folder: string
let client: Certificate
let other: Certificate

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'certificates-'))
  const authority = await makeAuthority(folder, 'authority')
  client = await makeCertificate(folder, 'client', authority)
  other = await makeCertificate(folder, 'other', authority)
})

after(() => rm(folder, { recursive: true }))

test('a certificate with its own key is accepted, before its chain too', () => {
  parse({ cert: client.cert, key: client.key })
  parse({ cert: client.cert + other.cert, key: client.key })
})

test('a key of another certificate is refused', () => {
  refuses({ cert: client.cert, key: other.key }, /ssl\.key does not belong to the certificate in ssl\.cert/)
})

test('an encrypted key needs its passphrase, and the right one', async () => {
  const key = await encryptedKey(client, 'open sesame')
  parse({ cert: client.cert, key, passphrase: 'open sesame' })
  refuses({ cert: client.cert, key }, /ssl\.key is encrypted but ssl\.passphrase is not set/)
  refuses({ cert: client.cert, key, passphrase: 'open poppy' }, /ssl\.passphrase does not open ssl\.key/)
})

test('a key in the place of a certificate and a certificate in the place of a key are refused', () => {
  refuses({ cert: client.key, key: client.key }, /ssl\.cert holds no certificate/)
  refuses({ cert: client.cert, key: client.cert }, /ssl\.key holds no private key/)
})

test('a certificate that was damaged on the way is refused', () => {
  const damaged = client.cert.replace(/\n.{9}/, '\n!!!!!!!!!')
  refuses({ ca: client.cert + damaged }, /ssl\.ca holds a certificate that cannot be read, number 2 of 2/)
})

function parse(ssl: Record<string, unknown>): void {
  parseKafkaSettings('a:9092', { ssl: { enabled: true, ...ssl } })
}

function refuses(ssl: Record<string, unknown>, reason: RegExp): void {
  assert.throws(
    () => parse(ssl),
    (error: Error) => {
      assert.match(error.message, reason)
      assert.ok(!error.message.includes('PRIVATE KEY-----\n'))
      return true
    },
  )
}
