import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { configEntries, readConfig } from '../../../src/core/config.js'
import { RelayError } from '../../../src/core/errors.js'

describe('the configuration', () => {
  it('has a default for everything', () => {
    const config = readConfig({})
    assert.equal(config.zeebeAddress, '127.0.0.1:26500')
    assert.equal(config.databaseUrl, undefined)
    assert.equal(config.jobTimeoutMs, 60_000)
  })

  it('takes an empty variable for one that is not set', () => {
    assert.deepEqual(
      readConfig(Object.fromEntries(configEntries().map(({ env }) => [env, '']))),
      readConfig({}),
    )
  })

  it('reads numbers, switches, lists and choices', () => {
    const config = readConfig({
      BPMN_RELAY_MAX_IN_FLIGHT: '64',
      BPMN_RELAY_SHUTDOWN_GRACE_MS: '0',
      ZEEBE_SECURE_CONNECTION: 'true',
      BPMN_RELAY_KAFKA_TASK_TYPES: ' orders ,payments,, ',
      BPMN_RELAY_LOG_LEVEL: 'debug',
    })
    assert.equal(config.maxInFlight, 64)
    assert.equal(config.shutdownGraceMs, 0)
    assert.equal(config.zeebeSecure, true)
    assert.deepEqual(config.kafkaTaskTypes, ['orders', 'payments'])
    assert.equal(config.logLevel, 'debug')
  })

  const wrong: [variable: string, value: string, cure: RegExp][] = [
    ['BPMN_RELAY_MAX_IN_FLIGHT', 'many', /whole number from 1 to 10000/],
    ['BPMN_RELAY_MAX_IN_FLIGHT', '0', /whole number from 1 to 10000/],
    ['BPMN_RELAY_MAX_IN_FLIGHT', '1.5', /whole number/],
    ['BPMN_RELAY_MAX_IN_FLIGHT', '0x10', /whole number/],
    ['BPMN_RELAY_MAX_IN_FLIGHT', '1e3', /whole number/],
    ['BPMN_RELAY_SHUTDOWN_GRACE_MS', ' ', /whole number/],
    ['BPMN_RELAY_DATABASE_POOL', '1', /from 2 to 100/],
    ['BPMN_RELAY_DATABASE_TIMEOUT_MS', '5', /from 100 to/],
    ['BPMN_RELAY_JOB_TIMEOUT_MS', 'PT1M', /whole number/],
    ['BPMN_RELAY_LEDGER_RETENTION_DAYS', '-1', /from 1 to 3650/],
    ['ZEEBE_SECURE_CONNECTION', 'yes', /true or false/],
    ['BPMN_RELAY_LOG_LEVEL', 'verbose', /one of error, warn, info, debug/],
    ['BPMN_RELAY_LOG_FORMAT', 'xml', /one of text, json/],
  ]
  for (const [variable, value, cure] of wrong) {
    it(`refuses ${variable}=${JSON.stringify(value)}, naming both and the cure`, () => {
      const { code, message } = refusal({ [variable]: value })
      assert.equal(code, 'CONFIG_INVALID')
      assert.ok(message.includes(variable) && message.includes(JSON.stringify(value)), message)
      assert.match(message, cure)
    })
  }

  it('names all wrong values at once', () => {
    const { message } = refusal({ BPMN_RELAY_LOG_LEVEL: 'loud', BPMN_RELAY_MAX_IN_FLIGHT: 'many' })
    assert.match(message, /BPMN_RELAY_MAX_IN_FLIGHT.*BPMN_RELAY_LOG_LEVEL/)
  })

  it('shows no secret when it refuses something', () => {
    const secrets = configEntries().filter(({ secret }) => secret)
    const env = Object.fromEntries(secrets.map(({ env }) => [env, 'hunter2']))
    const { message } = refusal({ ...env, BPMN_RELAY_LOG_LEVEL: 'loud' })
    assert.ok(!message.includes('hunter2'), message)
  })

  it('knows which of its entries are secret', () => {
    const secrets = configEntries()
      .filter(({ secret }) => secret)
      .map(({ env }) => env)
    assert.deepEqual(secrets, ['DATABASE_URL', 'BPMN_RELAY_MASTER_KEY', 'ZEEBE_CLIENT_SECRET'])
  })

  it('gives each entry a name of its own and a text', () => {
    const entries = configEntries()
    assert.equal(new Set(entries.map(({ env }) => env)).size, entries.length)
    for (const { env, text } of entries) assert.ok(text.endsWith('.'), `${env}: ${text}`)
  })
})

function refusal(env: NodeJS.ProcessEnv): RelayError {
  try {
    readConfig(env)
  } catch (error) {
    assert.ok(error instanceof RelayError)
    return error
  }
  assert.fail('it was taken')
}
