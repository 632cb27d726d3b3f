import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Serialization } from '../../../../src/adapters/serialization/serializer.js'
import { parseSerializationSettings } from '../../../../src/adapters/serialization/settings.js'
import { RelayError } from '../../../../src/core/errors.js'

const url = 'https://registry.example/apis'

function parse(settings: Record<string, unknown>, value: Serialization, key: Serialization = 'string') {
  return parseSerializationSettings(settings, { key, value })
}

describe('settings of serialization', () => {
  it('are none for simple serializations', () => {
    assert.deepEqual(parse({}, 'long'), {
      key: { serialization: 'string' },
      value: { serialization: 'long' },
    })
  })

  it('have defaults, and take numbers from variables', () => {
    const { value } = parse({ schemaRegistry: { url, value: { schemaId: '7' } } }, 'avro')
    assert.deepEqual(value, {
      serialization: 'avro',
      registry: { url, timeoutMs: 5000, subjectStrategy: 'topic', value: { schemaId: 7, register: false } },
    })
  })

  it('name a record by its id, whatever the strategy', () => {
    assert.ok(parse({ schemaRegistry: { url, subjectStrategy: 'record', value: { schemaId: 7 } } }, 'avro'))
  })

  const refused: [what: string, settings: Record<string, unknown>, value: Serialization, problem: RegExp][] =
    [
      [
        'a schema without a registry',
        {},
        'avro',
        /value's serialization is avro, but schemaRegistry\.url is not set/,
      ],
      [
        'a registry nobody uses',
        { schemaRegistry: { url } },
        'json',
        /schemaRegistry is set, but neither key nor value is avro/,
      ],
      [
        'a registry without address',
        { schemaRegistry: {} },
        'avro',
        /schemaRegistry must have required properties.*url/,
      ],
      [
        'an address of another kind',
        { schemaRegistry: { url: 'ftp://a' } },
        'avro',
        /schemaRegistry\.url is no address/,
      ],
      [
        'a user in the address',
        { schemaRegistry: { url: 'http://u:geheim@a' } },
        'avro',
        /use schemaRegistry\.username/,
      ],
      ['a user without password', { schemaRegistry: { url, username: 'u' } }, 'avro', /go together/],
      [
        'a setting it does not know',
        { schemaRegistry: { url, value: { shema: 'geheim' } } },
        'avro',
        /schemaRegistry\.value\.shema is not a setting/,
      ],
      [
        'an unknown strategy',
        { schemaRegistry: { url, subjectStrategy: 'name' } },
        'avro',
        /schemaRegistry\.subjectStrategy must be .*topic-record/,
      ],
      [
        'two ways to a schema',
        { schemaRegistry: { url, value: { schemaId: 1, version: 2 } } },
        'avro',
        /schemaRegistry\.value\.schemaId and schemaRegistry\.value\.version are both set/,
      ],
      [
        'registering nothing',
        { schemaRegistry: { url, value: { register: true } } },
        'avro',
        /schemaRegistry\.value\.register is true, but schemaRegistry\.value\.schema is not set/,
      ],
      [
        'a record without name',
        { schemaRegistry: { url, subjectStrategy: 'record' } },
        'avro',
        /nothing names the record: set schemaRegistry\.value\.recordName/,
      ],
      [
        'a schema for a simple side',
        { schemaRegistry: { url, key: { schemaId: 1 } } },
        'avro',
        /schemaRegistry\.key is set, but the key's serialization is string/,
      ],
      ['custom without a module', {}, 'custom', /valueModule is not set/],
      [
        'a module for nothing',
        { valueModule: 'a.mjs' },
        'json',
        /valueModule is set, but the value's serialization is json/,
      ],
    ]
  for (const [what, settings, value, problem] of refused) {
    it(`refuse ${what}`, () => {
      assert.throws(
        () => parse(settings, value),
        (error) => {
          assert.ok(error instanceof RelayError && error.code === 'SETTINGS_INVALID')
          assert.match(error.message, problem)
          assert.ok(!error.message.includes('geheim'))
          return true
        },
      )
    })
  }
})
