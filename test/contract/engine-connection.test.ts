import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { readConfig } from '../../src/core/config.js'
import { silentLog } from '../../src/core/log.js'
import { createZeebeEngine } from '../../src/engine/zeebe.js'
import { makeAuthority, makeCertificate } from '../helpers/certificates.js'
import { gatewayProxy } from '../helpers/gateway-proxy.js'
import { testServers } from '../helpers/servers.js'

const target = testServers().zeebe.address

describe('an engine behind TLS', () => {
  it('is reached with the CA of its certificate', async (t) => {
    const { gateway, caFile } = await secureGateway(t)
    const engine = engineAt(t, gateway.address, {
      ZEEBE_SECURE_CONNECTION: 'true',
      ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH: caFile,
    })
    await engine.check()
  })

  it('is not trusted without it', async (t) => {
    const { gateway } = await secureGateway(t)
    const engine = engineAt(t, gateway.address, { ZEEBE_SECURE_CONNECTION: 'true' })
    await assert.rejects(engine.check(), { code: 'ENGINE_UNREACHABLE', message: new RegExp(gateway.address) })
  })

  it('is refused at the start when the file of the CA cannot be read, naming variable and file', (t) => {
    assert.throws(() => engineAt(t, target, { ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH: '/no/such/ca.pem' }), {
      code: 'CONFIG_INVALID',
      message: /ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH.*\/no\/such\/ca\.pem/,
    })
  })
})

describe('an engine with OAuth', () => {
  it('gets the token of its authorization server with every call', async (t) => {
    const { gateway, caFile } = await secureGateway(t)
    const tokens = await tokenServer(t, 200)
    const engine = engineAt(t, gateway.address, {
      ...credentials(tokens.url),
      ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH: caFile,
    })
    await engine.check()
    assert.deepEqual(new Set(gateway.authorizations), new Set(['Bearer the-token']))
    assert.deepEqual(tokens.requests[0], {
      audience: 'zeebe-api',
      client_id: 'relay',
      client_secret: 'hunter2',
      grant_type: 'client_credentials',
    })
  })

  it('is not reached while the server refuses the client, and the secret stays out of the error', async (t) => {
    const { gateway, caFile } = await secureGateway(t)
    const tokens = await tokenServer(t, 401)
    const engine = engineAt(t, gateway.address, {
      ...credentials(tokens.url),
      ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH: caFile,
    })
    await assert.rejects(engine.check(), (error: Error) => {
      assert.match(error.message, /401/)
      assert.doesNotMatch(error.message, /hunter2/)
      return 'code' in error && error.code === 'ENGINE_UNREACHABLE'
    })
  })

  it('is refused at the start without id and secret, naming both', (t) => {
    assert.throws(() => engineAt(t, target, { ZEEBE_AUTHORIZATION_SERVER_URL: 'http://127.0.0.1:1/token' }), {
      code: 'CONFIG_INVALID',
      message: /ZEEBE_CLIENT_ID and ZEEBE_CLIENT_SECRET/,
    })
  })
})

function engineAt(t: TestContext, address: string, env: NodeJS.ProcessEnv) {
  const engine = createZeebeEngine(readConfig({ ZEEBE_ADDRESS: address, ...env }), silentLog)
  t.after(() => engine.close())
  return engine
}

function credentials(url: string): NodeJS.ProcessEnv {
  return {
    ZEEBE_AUTHORIZATION_SERVER_URL: url,
    ZEEBE_CLIENT_ID: 'relay',
    ZEEBE_CLIENT_SECRET: 'hunter2',
    ZEEBE_TOKEN_AUDIENCE: 'zeebe-api',
  }
}

async function secureGateway(t: TestContext) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-tls-'))
  t.after(() => rm(folder, { recursive: true }))
  const authority = await makeAuthority(folder, 'authority')
  const { cert, key } = await makeCertificate(folder, 'gateway', authority, 'IP:127.0.0.1')
  return { gateway: await gatewayProxy(t, target, { cert, key }), caFile: authority.certFile }
}

/** Gives out `the-token`, or refuses with another status. */
async function tokenServer(t: TestContext, status: number) {
  const requests: Record<string, string>[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    requests.push(Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())))
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(status === 200 ? { access_token: 'the-token', expires_in: 3600 } : {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return { url: `http://127.0.0.1:${address.port}/token`, requests }
}
