import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brokerDrivers, driverOf } from '../../../src/brokers/registry.js'
import { parseSettings, settingFields } from '../../../src/cli/settings.js'

const kafka = { ...driverOf(brokerDrivers(), 'kafka'), explainedBy: 'adapter settings kafka' }

describe('settings given as path=value', () => {
  it('get the types of the settings', () => {
    assert.deepEqual(parseSettings(['acks=all', 'requestTimeoutMs=500', 'ssl.enabled=false'], kafka, {}), {
      acks: 'all',
      requestTimeoutMs: 500,
      ssl: { enabled: false },
    })
  })

  it('keep everything after the first "="', () => {
    assert.deepEqual(parseSettings(['clientId=a=b='], kafka, {}), { clientId: 'a=b=' })
  })

  it('may be properties, whose names have dots', () => {
    const file = { properties: { 'linger.ms': 5 } }
    assert.deepEqual(parseSettings(['properties.batch.size=16384'], kafka, file), {
      properties: { 'linger.ms': 5, 'batch.size': '16384' },
    })
  })

  it('win over a file without touching its other settings', () => {
    const file = { acks: 'leader', sasl: { username: 'file', password: 'p' } }
    assert.deepEqual(parseSettings(['sasl.username=relay'], kafka, file), {
      acks: 'leader',
      sasl: { username: 'relay', password: 'p' },
    })
    assert.equal(file.sasl.username, 'file')
  })

  it('may refer to a variable whatever their type', () => {
    assert.deepEqual(parseSettings(['requestTimeoutMs=@env(LIMIT)'], kafka, {}), {
      requestTimeoutMs: '@env(LIMIT)',
    })
  })

  it('do not show a value that does not fit, when it may be a secret', () => {
    assert.throws(
      () => parseSettings(['sasl.pasword=geheim'], kafka, {}),
      (error: Error) => !error.message.includes('geheim') && error.message.includes('sasl.password'),
    )
  })
})

describe('the fields of a kind of adapter', () => {
  it('are all explained', () => {
    for (const driver of brokerDrivers().values()) {
      for (const field of settingFields(driver.settings)) assert.notEqual(field.text, '', field.path)
    }
  })

  it('tell which are secret', () => {
    const secret = settingFields(kafka.settings).filter((field) => field.secret)
    assert.deepEqual(
      secret.map(({ path }) => path).sort(),
      [
        ...['sasl.clientSecret', 'sasl.password', 'sasl.secretAccessKey', 'sasl.sessionToken'],
        ...['ssl.key', 'ssl.passphrase'],
      ].sort(),
    )
  })
})
