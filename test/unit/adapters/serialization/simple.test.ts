import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSerializers } from '../../../../src/adapters/serialization/serializers.js'
import { SIMPLE, type SimpleSerialization } from '../../../../src/adapters/serialization/simple.js'
import { type ErrorCode, RelayError } from '../../../../src/core/errors.js'

type Field = 'key' | 'message'

function serializerOf(how: SimpleSerialization, field: Field) {
  const serializations = { key: how, value: how }
  const both = createSerializers({ adapter: 'a', serializations, settings: {}, modulesFolder: undefined })
  return field === 'key' ? both.key : both.value
}

function serialize(json: string, how: SimpleSerialization, field: Field): Buffer | null {
  const bytes = serializerOf(how, field).serialize(json, 'topic')
  assert.ok(bytes === null || Buffer.isBuffer(bytes), 'it is made at once')
  return bytes
}

function deserialize(bytes: Buffer | null, how: SimpleSerialization): string {
  const text = serializerOf(how, 'message').deserialize(bytes, 'topic')
  assert.ok(typeof text === 'string', 'it is read at once')
  return text
}

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof RelayError && error.code === code
const refused = hasCode('VALUE_NOT_SERIALIZABLE')
const unreadable = hasCode('VALUE_NOT_DESERIALIZABLE')
const textOf = (...args: Parameters<typeof serialize>) => serialize(...args)?.toString('utf8')
const ALL = Object.keys(SIMPLE).filter((name): name is SimpleSerialization => name in SIMPLE)

describe('serialization', () => {
  for (const how of ALL) {
    it(`${how} makes null a value that is not there, and reads it as null`, () => {
      assert.equal(serialize('null', how, 'message'), null)
      assert.equal(deserialize(null, how), 'null')
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

describe('the numeric serializations', () => {
  const taken: [SimpleSerialization, json: string, hex: string][] = [
    ['short', '"-32768"', '8000'],
    ['integer', '100.0', '00000064'],
    ['integer', '1e3', '000003e8'],
    ['long', '9223372036854775807', '7fffffffffffffff'],
    ['long', '"-9223372036854775808"', '8000000000000000'],
    ['float', '"1.5"', '3fc00000'],
    ['double', '"NaN"', '7ff8000000000000'],
    ['boolean', '"true"', '01'],
  ]
  for (const [how, json, hex] of taken) {
    it(`take ${json} as ${how}`, () => {
      assert.equal(serialize(json, how, 'message')?.toString('hex'), hex)
    })
  }

  const outside: [SimpleSerialization, json: string, range: string][] = [
    ['short', '32768', 'a whole number from -32768 to 32767'],
    ['short', '-32769', 'a whole number from -32768 to 32767'],
    ['integer', '2147483648', 'a whole number from -2147483648 to 2147483647'],
    ['long', '9223372036854775808', 'a whole number from -9223372036854775808 to 9223372036854775807'],
    ['long', '1.5', 'a whole number from'],
    ['long', '1e400', 'a whole number from'],
    ['long', '""', 'a whole number from'],
    ['long', '"0x10"', 'a whole number from'],
    ['long', '{"a":1}', 'a whole number from'],
    ['float', '3.5e38', 'a number from -3.4028235e38 to 3.4028235e38'],
    ['double', '1e400', 'a number from -1.7976931348623157e308'],
    ['double', '"infinity"', 'a number from'],
    ['double', 'true', 'a number from'],
    ['boolean', '1', 'true or false'],
    ['uuid', '"123e4567"', 'a text such as'],
  ]
  for (const [how, json, range] of outside) {
    it(`refuse ${json} as ${how}, naming field, value and what would be right`, () => {
      assert.throws(
        () => serialize(json, how, 'key'),
        (error) => refused(error) && String(error).includes(`key is `) && String(error).includes(range),
      )
    })
  }

  it('name the value with the digits it was given', () => {
    assert.throws(() => serialize('9223372036854775808', 'long', 'key'), /key is 9223372036854775808:/)
  })
})

describe('reading', () => {
  const readBack: [SimpleSerialization, json: string][] = [
    ['string', '"Zürich 北京 😀"'],
    ['json', '{"n":9007199254740993,"d":100.0}'],
    ['bytes', '"AP/+Pg=="'],
    ['short', '-1'],
    ['long', '-9223372036854775808'],
    ['float', '0.1'],
    ['double', '-0.0'],
    ['double', '"-Infinity"'],
    ['uuid', '"123e4567-e89b-12d3-a456-426614174000"'],
    ['boolean', 'false'],
  ]
  for (const [how, json] of readBack) {
    it(`gives ${json} back as it was sent with ${how}`, () => {
      assert.equal(deserialize(serialize(json, how, 'message'), how), json)
    })
  }

  const unfit: [SimpleSerialization, hex: string, problem: RegExp][] = [
    ['string', 'ff', /no UTF-8 text: use serialization "bytes"/],
    ['json', '7b', /no JSON: use serialization "string"/],
    ['long', '00000001', /has 4 bytes, but the serialization "long" needs 8/],
    ['boolean', '02', /the byte 2/],
    ['uuid', '61', /holds no UUID/],
  ]
  for (const [how, hex, problem] of unfit) {
    it(`refuses the bytes ${hex} as ${how}`, () => {
      assert.throws(
        () => deserialize(Buffer.from(hex, 'hex'), how),
        (error) => unreadable(error) && problem.test(String(error)),
      )
    })
  }
})
