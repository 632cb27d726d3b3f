import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Serialization } from '../../../src/adapters/serialization/serializer.js'
import { jsonOfText, textOfJson } from '../../../src/cli/value-text.js'
import { RelayError } from '../../../src/core/errors.js'

function json(text: string | Buffer, serialization: Serialization): string {
  return jsonOfText(Buffer.from(text), serialization, 'message')
}

describe('what a person writes', () => {
  const meant: [serialization: Serialization, text: string, json: string][] = [
    ['string', ' {"a":1} ', '" {\\"a\\":1} "'],
    ['string', '', '""'],
    ['string', 'null', '"null"'],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000\n', '"123e4567-e89b-12d3-a456-426614174000"'],
    ['bytes', 'AAE=', '"AAE="'],
    ['long', '9007199254740993', '9007199254740993'],
    ['long', 'x', '"x"'],
    ['double', 'NaN', '"NaN"'],
    ['boolean', ' true', 'true'],
    ['json', '{"a": 1.0}\n', '{"a": 1.0}'],
    ['avro', '"a"', '"a"'],
    ['custom', '[1]', '[1]'],
  ]
  for (const [serialization, text, expected] of meant) {
    it(`as ${serialization}, ${JSON.stringify(text)} is ${expected}`, () => {
      assert.equal(json(text, serialization), expected)
    })
  }

  for (const serialization of ['json', 'avro', 'json-schema', 'protobuf', 'custom'] as const) {
    it(`as ${serialization} must be JSON, or is refused with field, value and cure`, () => {
      assert.throws(
        () => json('abc', serialization),
        (error) =>
          error instanceof RelayError &&
          error.code === 'VALUE_NOT_SERIALIZABLE' &&
          error.message.startsWith('message "abc" is no JSON') &&
          error.message.includes(`"${serialization}"`) &&
          error.message.includes('--raw'),
      )
    })
  }

  it('must be UTF-8 unless it is sent raw', () => {
    assert.throws(() => json(Buffer.of(0xff), 'string'), /message is no UTF-8 text: add --raw/)
  })
})

describe('what a person reads', () => {
  const shown: [serialization: Serialization, json: string, text: string][] = [
    ['string', '"a\\nb"', 'a\nb'],
    ['bytes', '"AAE="', 'AAE='],
    ['double', '"NaN"', 'NaN'],
    ['long', '9007199254740993', '9007199254740993'],
    ['json', '"a"', '"a"'],
    ['json', '{\n  "a": 1.0\n}\n', '{ "a": 1.0 }'],
    ['avro', '"a"', '"a"'],
  ]
  for (const [serialization, given, text] of shown) {
    it(`of ${serialization} ${JSON.stringify(given)} is ${JSON.stringify(text)}`, () => {
      assert.equal(textOfJson(given, serialization), text)
    })
  }
})
