import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serialize } from '../../../src/adapters/serialize.js'
import { RelayError } from '../../../src/core/errors.js'

const refused = (error: unknown) => error instanceof RelayError && error.code === 'VALUE_NOT_SERIALIZABLE'
const textOf = (...args: Parameters<typeof serialize>) => serialize(...args)?.toString('utf8')

describe('serialization', () => {
  for (const how of ['string', 'json', 'bytes'] as const) {
    it(`${how} makes null a value that is not there`, () => {
      assert.equal(serialize('null', how, 'message'), null)
    })
  }

  for (const number of ['9223372036854775807', '9007199254740993', '100.0', '1e400']) {
    it(`keeps the digits of ${number}`, () => {
      assert.equal(textOf(number, 'string', 'message'), number)
      assert.equal(textOf(number, 'json', 'message'), number)
      assert.equal(textOf(`{"n":${number}}`, 'string', 'message'), `{"n":${number}}`)
    })
  }
})

describe('serialization "string"', () => {
  it('sends a string as it is', () => {
    assert.equal(textOf('"a \\"b\\" \\u8ba2\\u5355 😀\\n"', 'string', 'message'), 'a "b" 订单 😀\n')
    assert.equal(textOf('""', 'string', 'message'), '')
    assert.equal(textOf('"null"', 'string', 'message'), 'null')
  })

  it('sends any other JSON as its text', () => {
    for (const json of ['true', '{ "a": [1, 2] }', '[]'])
      assert.equal(textOf(json, 'string', 'message'), json)
  })

  it('refuses half a character, naming the field and the cure', () => {
    for (const half of ['"\\ud83d"', '"a\\udc00b"']) {
      assert.throws(
        () => serialize(half, 'string', 'key'),
        (error) => refused(error) && /key holds a lone surrogate.*bytes/.test(String(error)),
      )
    }
  })
})

describe('serialization "json"', () => {
  it('always sends JSON text, a string in quotes', () => {
    for (const json of ['"订单"', '"\\ud83d"', '{"a":1}']) assert.equal(textOf(json, 'json', 'message'), json)
  })
})

describe('serialization "bytes"', () => {
  it('takes base64 text or {base64}, with or without padding, and its url form', () => {
    const bytes = Buffer.from([0, 255, 254, 62])
    for (const json of ['"AP/+Pg=="', '"AP/+Pg"', '"AP_-Pg"', '{"base64":"AP/+Pg=="}']) {
      assert.deepEqual(serialize(json, 'bytes', 'message'), bytes)
    }
    assert.deepEqual(serialize('""', 'bytes', 'message'), Buffer.alloc(0))
  })

  for (const json of [
    '"订单"',
    '"a b"',
    '"AAAAA"',
    '"A"',
    '5',
    '{"a":1}',
    '{"base64":5}',
    '[]',
    'true',
    '"AA=A"',
  ]) {
    it(`refuses ${json}, naming the field and the cure`, () => {
      assert.throws(
        () => serialize(json, 'bytes', 'message'),
        (error) => refused(error) && /message must be base64/.test(String(error)),
      )
    })
  }
})
