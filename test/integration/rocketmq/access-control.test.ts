import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import type { Source } from '../../../src/brokers/subscription.js'
import { silentLog } from '../../../src/core/log.js'
import { startRocketmq, startRocketmq4 } from '../../../src/stack/rocketmq.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { makeAuthority, makeCertificate } from '../../helpers/certificates.js'
import { consume, newGroup, textOf } from '../../helpers/consuming.js'
import { connect, createTopic, permit, subscribeOver } from '../../helpers/rocketmq.js'
import { waitFor } from '../../helpers/wait-for.js'

const OPERATOR = { accessKey: 'operator', secretKey: 'operator-secret' }
const ORDERS = { accessKey: 'orders-app', secretKey: 'orders-secret' }
const ALLOWED = 'orders'
const FORBIDDEN = 'salaries'
const DELAYED = 'reminders'
const FORBIDDEN_GROUP = 'payroll'

/** Version 5 takes over the accounts of version 4 when it starts. */
const ACCOUNTS = `accounts:
- accessKey: ${OPERATOR.accessKey}
  secretKey: ${OPERATOR.secretKey}
  admin: true
- accessKey: ${ORDERS.accessKey}
  secretKey: ${ORDERS.secretKey}
  admin: false
  defaultTopicPerm: DENY
  defaultGroupPerm: PUB|SUB
  topicPerms:
  - ${ALLOWED}=PUB|SUB
  - ${DELAYED}=PUB|SUB
  groupPerms:
  - ${FORBIDDEN_GROUP}=DENY
`
const files = { 'conf/plain_acl.yml': ACCOUNTS }

const JAVA = 'org.apache.rocketmq'
const AUTH = {
  authenticationEnabled: true,
  authenticationProvider: `${JAVA}.auth.authentication.provider.DefaultAuthenticationProvider`,
  authorizationEnabled: true,
  authorizationProvider: `${JAVA}.auth.authorization.provider.DefaultAuthorizationProvider`,
  innerClientAuthenticationCredentials: JSON.stringify(OPERATOR),
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'rocketmq-access-'))
const authority = await makeAuthority(folder, 'authority')
const certificate = await makeCertificate(folder, 'proxy', authority, 'IP:127.0.0.1,DNS:proxy.example')
const [current, version4] = await Promise.all([
  startRocketmq(
    { folder: path.join(folder, '5'), onProgress: () => undefined },
    {
      files,
      broker: {
        ...AUTH,
        authenticationMetadataProvider: `${JAVA}.auth.authentication.provider.LocalAuthenticationMetadataProvider`,
        authorizationMetadataProvider: `${JAVA}.auth.authorization.provider.LocalAuthorizationMetadataProvider`,
        migrateAuthFromV1Enabled: true,
        // No time for the disk: nearly every message is answered with FLUSH_DISK_TIMEOUT.
        flushDiskType: 'SYNC_FLUSH',
        syncFlushTimeout: 0,
        timerWheelEnable: false,
      },
      proxy: {
        ...AUTH,
        authenticationMetadataProvider: `${JAVA}.proxy.auth.ProxyAuthenticationMetadataProvider`,
        authorizationMetadataProvider: `${JAVA}.proxy.auth.ProxyAuthorizationMetadataProvider`,
        // By default 20 s: so long it remembers that there is no such topic.
        topicRouteServiceCacheRefreshSeconds: 2,
        tlsTestModeEnable: false,
        tlsKeyPath: certificate.keyFile,
        tlsCertPath: certificate.certFile,
      },
    },
  ),
  startRocketmq4(
    { folder: path.join(folder, '4'), onProgress: () => undefined },
    // No slave: every message is answered with SLAVE_NOT_AVAILABLE.
    { files, broker: { aclEnable: true, brokerRole: 'SYNC_MASTER' } },
  ),
])
after(async () => {
  await Promise.all([current.stop(), version4.stop()])
  await rm(folder, { recursive: true })
})
for (const { nameServer } of [current, version4]) {
  for (const name of [ALLOWED, FORBIDDEN]) await createTopic(nameServer, { name, credentials: OPERATOR })
}
// The accounts of version 4 know no GET, which a group without an offset needs over remoting.
await permit(current.nameServer, OPERATOR, {
  user: ORDERS.accessKey,
  resource: `Topic:${ALLOWED}`,
  actions: ['Pub', 'Sub', 'Get'],
})
await createTopic(current.nameServer, { name: DELAYED, type: 'DELAY', credentials: OPERATOR })

const tls = { enabled: true, ca: authority.cert }
const servers: Array<[string, string, Record<string, unknown>, string]> = [
  ['RocketMQ 4.9 over remoting', version4.nameServer, {}, 'SLAVE_NOT_AVAILABLE'],
  ['RocketMQ 5 over remoting', current.nameServer, {}, 'FLUSH_DISK_TIMEOUT'],
  ['RocketMQ 5 over grpc', current.proxyEndpoint, { protocol: 'grpc', ssl: tls }, 'FLUSH_DISK_TIMEOUT'],
]

for (const [name, address, protocol, unsafe] of servers) {
  describe(`${name} with access control`, () => {
    const join = (credentials: Record<string, unknown>) =>
      subscribeOver(address, { ...protocol, ...credentials })

    test('takes a message of an access key that may publish to its topic', async (t) => {
      const connection = connect(t, address, { ...protocol, ...ORDERS })

      await connection.check()
      const receipt = await connection.publish(message(ALLOWED, 'x'))

      assert.equal(receipt.topic, ALLOWED)
    })

    const wrong: Array<[string, Record<string, unknown>]> = [
      ['no access key', {}],
      ['an access key that nobody has', { ...ORDERS, accessKey: 'nobody-here' }],
      ['a wrong secret key', { ...ORDERS, secretKey: 'wrong-secret' }],
    ]
    for (const [what, credentials] of wrong) {
      test(`says which settings to check after ${what}, without showing the secret`, async (t) => {
        const connection = connect(t, address, { ...protocol, ...credentials })

        const outcomes = await Promise.allSettled([
          connection.check(),
          connection.publish(message(ALLOWED, 'x')),
        ])

        for (const outcome of outcomes) {
          const error = failure(outcome)
          assert.equal(error.code, 'AUTHENTICATION_FAILED')
          assert.match(error.message, /check settings accessKey and secretKey$/)
          assert.doesNotMatch(error.message, /-secret/)
        }
      })
    }

    test('refuses a topic the access key may not publish to, naming the topic and the cure', async (t) => {
      const connection = connect(t, address, { ...protocol, ...ORDERS })

      const error = failure(await settled(connection.publish(message(FORBIDDEN, 'x'))))

      assert.equal(error.code, 'NOT_AUTHORIZED')
      assert.match(error.message, new RegExp(`"${FORBIDDEN}".*; allow this access key to publish there`))
    })

    test(`publishes with a warning where the broker answers ${unsafe}`, async (t) => {
      const warnings: string[] = []
      const log = { ...silentLog, warn: (text: string) => void warnings.push(text) }
      const connection = connect(t, address, { ...protocol, ...ORDERS }, log)

      await waitFor(`an answer of ${unsafe}`, async () => {
        await connection.publish(message(ALLOWED, 'x'))
        return warnings.length > 0
      })

      assert.equal(warnings.length, 1)
      assert.match(warnings[0] ?? '', new RegExp(`message stored, but .*${unsafe}`))
    })

    test(`fails for a passing reason at ${unsafe} where onUnsafeStore says so`, async (t) => {
      const strict = { onUnsafeStore: 'fail', retries: 0 }
      const connection = connect(t, address, { ...protocol, ...ORDERS, ...strict })

      const outcome = await waitFor(`an answer of ${unsafe}`, async () => {
        const outcome = await settled(connection.publish(message(ALLOWED, 'x')))
        return outcome?.status === 'rejected' && outcome
      })

      const error = failure(outcome)
      assert.equal(error.outcome, 'failed')
      assert.match(error.message, new RegExp(`${unsafe}.*onUnsafeStore`))
    })

    for (const [what, credentials] of wrong) {
      test(`lets nobody consume with ${what}, saying which settings to check`, async () => {
        const error = failure(await settled(join(credentials)(source(ALLOWED), async () => undefined)))

        assert.equal(error.code, 'AUTHENTICATION_FAILED')
        assert.match(error.message, /check settings accessKey and secretKey$/)
        assert.doesNotMatch(error.message, /-secret/)
      })
    }

    for (const [what, topic, group] of [
      ['a topic', FORBIDDEN, newGroup()],
      ['as a group', ALLOWED, FORBIDDEN_GROUP],
    ] as const) {
      test(`lets nobody consume ${what} without permission, naming it and the cure`, async () => {
        const error = failure(await settled(join(ORDERS)(source(topic, group), async () => undefined)))

        assert.equal(error.code, 'NOT_AUTHORIZED')
        const cure = new RegExp(`; allow this access key to consume .*as group "${group}"`)
        assert.match(error.message, cure)
        assert.ok(error.message.includes(topic === FORBIDDEN ? FORBIDDEN : FORBIDDEN_GROUP), error.message)
      })
    }
  })
}

function source(topic: string, group = newGroup()): Source {
  return { group, topics: [{ topic }], from: { at: 'latest' } }
}

for (const [name, address, protocol] of servers.slice(0, 2)) {
  test(`${name} gives messages to an access key that may consume its topic`, async (t) => {
    const subscribe = subscribeOver(address, { ...protocol, ...ORDERS })
    const { messages } = await consume(t, subscribe, { topics: [{ topic: ALLOWED }] })

    await connect(t, address, { ...protocol, ...ORDERS }).publish(message(ALLOWED, 'for consumers'))

    await waitFor('the message', () => messages.some((each) => textOf(each) === 'for consumers'))
  })
}

test('a consumer over grpc is told that a broker without timers gives out nothing, and the cure', async (t) => {
  const subscribe = subscribeOver(current.proxyEndpoint, { protocol: 'grpc', ...ORDERS, ssl: tls })

  const { subscription } = await consume(t, subscribe, { topics: [{ topic: ALLOWED }] })

  const error = await waitFor('the reason', () => subscription.status().error)
  assert.match(error.message, /needs timerWheelEnable=true .*: set it, or use protocol "remoting"$/)
})

for (const [name, address, protocol] of servers.slice(1)) {
  test(`${name} refuses deliverAt for good where its timers are off, naming the cure`, async (t) => {
    const connection = connect(t, address, { ...protocol, ...ORDERS })
    const deliverAt = Date.now() + 60_000

    const error = failure(await settled(connection.publish(message(DELAYED, 'x', { deliverAt }))))

    assert.equal(error.code, 'BROKER_REFUSED')
    assert.match(
      error.message,
      /deliverAt needs timerWheelEnable=true .*: set it, or use delayLevel over remoting/,
    )
  })
}

test('a topic that a gRPC proxy hears of late is waited for', async (t) => {
  const settings = { protocol: 'grpc', ...OPERATOR, ssl: tls }
  const connection = connect(t, current.proxyEndpoint, settings)
  const name = `late-${Date.now()}`
  const publishing = connection.publish(message(name, 'x'))
  publishing.catch(() => undefined)
  // Whichever of the two asks first: by then the proxy remembers that there is none.
  const subscribe = subscribeOver(current.proxyEndpoint, settings)
  await assert.rejects(
    subscribe(source(name), async () => undefined),
    { code: 'TOPIC_UNKNOWN' },
  )

  await createTopic(current.nameServer, { name, credentials: OPERATOR })

  assert.equal((await publishing).topic, name)
})

describe('the certificate of a gRPC proxy', () => {
  const refused: Array<[string, Record<string, unknown>, RegExp]> = [
    ['signed by an authority nobody trusts', { ca: undefined }, /set ssl\.ca to the certificate/],
    ['for another server name', { serverName: 'other.example' }, /set ssl\.serverName to a name in the cert/],
  ]
  for (const [what, ssl, cure] of refused) {
    test(`${what} is refused with the setting that cures it`, async (t) => {
      const settings = { protocol: 'grpc', ...ORDERS, ssl: { ...tls, ...ssl } }

      const error = failure(await settled(connect(t, current.proxyEndpoint, settings).check()))

      assert.equal(error.code, 'BROKER_UNREACHABLE')
      assert.match(error.message, cure)
    })
  }

  const accepted: Array<[string, Record<string, unknown>]> = [
    ['for one of its further names', { serverName: 'proxy.example' }],
    ['that is not to be verified', { ca: undefined, rejectUnauthorized: false }],
  ]
  for (const [what, ssl] of accepted) {
    test(`${what} is accepted`, async (t) => {
      const settings = { protocol: 'grpc', ...ORDERS, ssl: { ...tls, ...ssl } }

      await connect(t, current.proxyEndpoint, settings).check()
    })
  }
})
