import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { RelayError } from '../../../src/core/errors.js'
import { type LocalKafka, startKafka } from '../../../src/stack/kafka.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { type Certificate, encryptedKey, makeAuthority, makeCertificate } from '../../helpers/certificates.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { runKafkaJava } from '../../helpers/kafka-java.js'

const PASSWORD = 'open-sesame-7261'
const WRONG = 'wrong-guess-9402'
const LIMITS = { connectionTimeoutMs: 3000, requestTimeoutMs: 3000 }

/** A Kafka that demands client certificates at one port, a login over TLS at another and one without TLS at a third. */
let kafka: LocalKafka
let folder: string
let authority: Certificate
let stranger: Certificate
let client: Certificate
let strangersClient: Certificate
let topic: string

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'secure-kafka-'))
  authority = await makeAuthority(folder, 'authority')
  stranger = await makeAuthority(folder, 'stranger')
  const server = await makeCertificate(folder, 'server', authority, 'IP:127.0.0.1,DNS:broker.example')
  client = await makeCertificate(folder, 'client', authority)
  strangersClient = await makeCertificate(folder, 'strangers-client', stranger)
  const keyStore = path.join(folder, 'server.pem')
  await writeFile(keyStore, server.key + server.cert)
  kafka = await startKafka(
    { folder: path.join(folder, 'kafka'), onProgress: () => undefined },
    {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keyStore,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority.certFile,
      'listener.name.mutual.ssl.client.auth': 'required',
      ...logins('login'),
      ...logins('open'),
    },
    { MUTUAL: 'SSL', LOGIN: 'SASL_SSL', OPEN: 'SASL_PLAINTEXT' },
  )
  // One credential of a user a request, as Kafka takes no more.
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    await runKafkaJava('kafka.admin.ConfigCommand', [
      ...['--bootstrap-server', kafka.bootstrapServers, '--alter', '--entity-type', 'users'],
      ...['--entity-name', 'relay', '--add-config', `${mechanism}=[iterations=4096,password=${PASSWORD}]`],
    ])
  }
  topic = await createTopic(kafka.bootstrapServers)
})

after(async () => {
  await kafka?.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('a broker that demands client certificates', () => {
  test('takes messages from a client with a certificate of its authority', async (t) => {
    await publishes(t, 'MUTUAL', { ssl: { enabled: true, ca: authority.cert, ...pair(client) } })
  })

  test('takes messages from a client whose key is encrypted', async (t) => {
    const key = await encryptedKey(client, PASSWORD)
    const ssl = { enabled: true, ca: authority.cert, cert: client.cert, key, passphrase: PASSWORD }
    await publishes(t, 'MUTUAL', { ssl })
  })

  test('is not trusted without its authority, and the cure is ssl.ca', async (t) => {
    const error = await refused(t, 'MUTUAL', { ssl: { enabled: true, ...pair(client) } })
    assert.equal(error.code, 'BROKER_UNREACHABLE')
    assert.match(error.message, /ssl\.ca is not set.*set ssl\.ca/)
  })

  test('is not trusted with the authority of a stranger', async (t) => {
    const error = await refused(t, 'MUTUAL', { ssl: { enabled: true, ca: stranger.cert, ...pair(client) } })
    assert.equal(error.code, 'BROKER_UNREACHABLE')
    assert.match(error.message, /no authority in ssl\.ca signed/)
  })

  test('is taken without verification where that is turned off', async (t) => {
    await publishes(t, 'MUTUAL', { ssl: { enabled: true, rejectUnauthorized: false, ...pair(client) } })
  })

  test('refuses a client without a certificate, and the cure is ssl.cert', async (t) => {
    const error = await refused(t, 'MUTUAL', { ssl: { enabled: true, ca: authority.cert } })
    assert.equal(error.code, 'AUTHENTICATION_FAILED')
    assert.match(error.message, /set ssl\.cert and ssl\.key/)
  })

  test('refuses a client with the certificate of a stranger', async (t) => {
    const error = await refused(t, 'MUTUAL', {
      ssl: { enabled: true, ca: authority.cert, ...pair(strangersClient) },
    })
    assert.equal(error.code, 'AUTHENTICATION_FAILED')
    assert.match(error.message, /does not accept the client certificate in ssl\.cert/)
  })

  test('may be verified by another name than its address', async (t) => {
    const ssl = { enabled: true, ca: authority.cert, ...pair(client) }
    await publishes(t, 'MUTUAL', { ssl: { ...ssl, serverName: 'broker.example' } })
    const error = await refused(t, 'MUTUAL', { ssl: { ...ssl, serverName: 'other.example' } })
    assert.match(error.message, /correct ssl\.serverName "other\.example"/)
  })

  test('hangs up on a client without TLS, and the cure is ssl.enabled', async (t) => {
    const error = await refused(t, 'MUTUAL', {})
    assert.match(error.message, /TLS \(ssl\.enabled is false\)/)
  })
})

test('a broker without TLS cannot be reached with TLS, and the cure is ssl.enabled', async (t) => {
  const error = await refused(t, 'PLAIN', { ssl: { enabled: true } })
  assert.equal(error.outcome, 'failed')
  assert.match(error.message, /set ssl\.enabled to false/)
})

for (const listener of ['LOGIN', 'OPEN'] as const) {
  describe(`a broker that demands a login ${listener === 'LOGIN' ? 'over TLS' : 'without TLS'}`, () => {
    const tls = () => (listener === 'LOGIN' ? { ssl: { enabled: true, ca: authority.cert } } : {})

    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
      test(`takes messages after ${mechanism} with the right password`, async (t) => {
        await publishes(t, listener, { ...tls(), sasl: { mechanism, username: 'relay', password: PASSWORD } })
      })

      test(`refuses ${mechanism} with a wrong password, naming mechanism and user and no password`, async (t) => {
        const sasl = { mechanism, username: 'relay', password: WRONG }
        const error = await refused(t, listener, { ...tls(), sasl })
        assert.equal(error.code, 'AUTHENTICATION_FAILED')
        assert.ok(error.message.includes(`sasl.mechanism ${mechanism}`), error.message)
        assert.match(error.message, /sasl\.username "relay"/)
      })
    }

    test('refuses a mechanism it does not have', async (t) => {
      const sasl = {
        mechanism: 'aws',
        authorizationIdentity: 'me',
        accessKeyId: 'id',
        secretAccessKey: PASSWORD,
      }
      const error = await refused(t, listener, { ...tls(), sasl })
      assert.equal(error.code, 'AUTHENTICATION_FAILED')
      assert.match(error.message, /check sasl\.mechanism aws/)
    })

    test('hangs up on a client that does not log in, and the cure is sasl', async (t) => {
      const error = await refused(t, listener, tls())
      assert.match(error.message, /a login \(sasl is not set\)/)
    })

    test('takes messages after a login with a token of the endpoint, asked for once', async (t) => {
      const { tokenEndpoint, requests } = await tokenServer(t)
      const sasl = {
        mechanism: 'oauthbearer',
        tokenEndpoint,
        clientId: 'relay',
        clientSecret: PASSWORD,
        scope: 'kafka',
      }
      await publishes(t, listener, { ...tls(), sasl })
      assert.deepEqual(requests, ['grant_type=client_credentials&scope=kafka'])
    })

    test('is not reached where the token endpoint refuses the client, whose secret stays hidden', async (t) => {
      const { tokenEndpoint } = await tokenServer(t)
      const sasl = { mechanism: 'oauthbearer', tokenEndpoint, clientId: 'relay', clientSecret: WRONG }
      const error = await refused(t, listener, { ...tls(), sasl })
      assert.equal(error.code, 'AUTHENTICATION_FAILED')
      assert.match(error.message, /sasl\.tokenEndpoint http:\S+ answered 401: .*sasl\.clientId "relay"/)
    })
  })
}

type Listener = 'MUTUAL' | 'LOGIN' | 'OPEN' | 'PLAIN'

async function publishes(
  t: TestContext,
  listener: Listener,
  settings: Record<string, unknown>,
): Promise<void> {
  const connection = kafkaConnection(t, addressOf(listener), { ...LIMITS, ...settings })
  await connection.check()
  await connection.publish(message(topic, t.name))
  const log = await readTopic(kafka.bootstrapServers, topic, 1)
  assert.equal(String(log.at(-1)?.value), t.name)
}

/** The error of both publishing and checking, which must say the same and give no secret away. */
async function refused(
  t: TestContext,
  listener: Listener,
  settings: Record<string, unknown>,
): Promise<RelayError> {
  const connection = kafkaConnection(t, addressOf(listener), { ...LIMITS, ...settings })
  const publishing = failure(await settled(connection.publish(message(topic, 'x'))))
  const checking = failure(await settled(connection.check()))
  for (const { message: text } of [publishing, checking]) {
    for (const secret of [PASSWORD, WRONG, 'PRIVATE KEY']) assert.ok(!text.includes(secret), text)
  }
  assert.equal(publishing.code, checking.code)
  return publishing
}

function addressOf(listener: Listener): string {
  return kafka.listeners[listener] ?? kafka.bootstrapServers
}

function pair({ cert, key }: Certificate) {
  return { cert, key }
}

/** What a listener needs for logins by every mechanism; tokens need no signature. */
function logins(listener: string): Record<string, string> {
  const modules = {
    plain: `org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="${PASSWORD}";`,
    'scram-sha-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'scram-sha-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    oauthbearer:
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
  }
  const prefix = `listener.name.${listener}.`
  return Object.fromEntries([
    [`${prefix}sasl.enabled.mechanisms`, Object.keys(modules).join(',').toUpperCase()],
    ...Object.entries(modules).map(([mechanism, module]) => [
      `${prefix}${mechanism}.sasl.jaas.config`,
      module,
    ]),
  ])
}

/** Gives tokens to the client "relay" with the right secret. */
async function tokenServer(t: TestContext) {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    requests.push(body)
    const login = Buffer.from(request.headers.authorization?.split(' ')[1] ?? '', 'base64').toString()
    if (login !== `relay:${PASSWORD}`) return response.writeHead(401).end(`{"error":"${login}"}`)
    const seconds = Math.floor(Date.now() / 1000)
    const parts = [{ alg: 'none' }, { sub: 'relay', scope: 'kafka', iat: seconds, exp: seconds + 600 }]
    const token = `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`
    return response.end(JSON.stringify({ access_token: token, expires_in: 600 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return { tokenEndpoint: `http://127.0.0.1:${address.port}/token`, requests }
}
