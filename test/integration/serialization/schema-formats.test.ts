import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import {
  avro,
  bytesOf,
  framed,
  json,
  ORDER_FILE,
  protobuf,
  RegistryOfTests,
  record,
  refuses,
  thereAndBack,
} from '../../helpers/schema-registry.js'

const registry = new RegistryOfTests()

describe('Avro', () => {
  it('is framed with the id of the schema', async () => {
    const order = record({ name: 'id', type: 'long' }, { name: 'name', type: 'string' })
    const { serializer, topic, id } = await registry.registered('avro', avro(order))
    const bytes = await bytesOf(serializer, '{"id":1,"name":"a"}', topic)
    assert.equal(bytes.toString('hex'), framed(id, '020261'))
  })

  const kept: [what: string, type: unknown, json: string][] = [
    ['the largest long', 'long', '9223372036854775807'],
    ['the smallest long', 'long', '-9223372036854775808'],
    ['a long no double holds', { type: 'long', logicalType: 'timestamp-micros' }, '9007199254740993'],
    ['a long in a union', ['null', 'long'], '9007199254740993'],
    ['null in a union', ['null', 'long'], 'null'],
    ['a text in a union of many', ['null', 'int', 'string'], '"a"'],
    [
      'a record in a union',
      ['null', { type: 'record', name: 'R', fields: [{ name: 'string', type: 'string' }] }],
      '{"string":"x"}',
    ],
    ['bytes', 'bytes', '"AP/+Pg=="'],
    ['fixed bytes', { type: 'fixed', name: 'F', size: 2 }, '"AP8="'],
    ['an enum', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, '"B"'],
    ['a list', { type: 'array', items: 'long' }, '[1,9007199254740993]'],
    ['a map', { type: 'map', values: ['null', 'double'] }, '{"a":1.5,"b":null}'],
    ['a float', 'float', '0.1'],
    ['no number', 'double', '"NaN"'],
    ['text of several scripts', 'string', '"Zürich 北京 😀"'],
  ]
  for (const [what, type, value] of kept) {
    it(`keeps ${what}`, async () => {
      const given = await registry.registered('avro', avro(record({ name: 'f', type })))
      assert.equal(await thereAndBack(given, `{"f":${value}}`), `{"f":${value}}`)
    })
  }

  it('takes a value of a union as Avro writes it in JSON, too', async () => {
    const given = await registry.registered(
      'avro',
      avro(record({ name: 'f', type: ['null', 'int', 'long'] })),
    )
    const { serializer, topic, id } = given
    const bytes = await bytesOf(serializer, '{"f":{"long":1}}', topic)
    assert.equal(bytes.toString('hex'), framed(id, '0402'))
  })

  it('fills a missing field with its default', async () => {
    const given = await registry.registered(
      'avro',
      avro(
        record({ name: 'n', type: ['null', 'long'], default: null }, { name: 'l', type: 'long', default: 7 }),
      ),
    )
    assert.equal(await thereAndBack(given, '{}'), '{"n":null,"l":7}')
  })

  const refused: [json: string, problem: RegExp][] = [
    [
      '{"n":2147483648}',
      /message\.n is 2147483648: it must be a whole number from -2147483648 to 2147483647/,
    ],
    ['{"n":"x"}', /message\.n is "x": it must be a whole number/],
    ['{}', /message\.n is missing/],
    ['{"n":1,"m":2}', /message\.m is no field of shop\.Order, which has n/],
    ['5', /message is 5: it must be an object/],
  ]
  for (const [value, problem] of refused) {
    it(`refuses ${value}, naming the place`, async () => {
      const given = await registry.registered('avro', avro(record({ name: 'n', type: 'int' })))
      await refuses(given, value, 'VALUE_NOT_SERIALIZABLE', problem)
    })
  }

  it('knows types of schemas it refers to', async () => {
    const subject = `address-${randomUUID()}`
    await registry.register(
      subject,
      avro({ type: 'record', name: 'shop.Address', fields: [{ name: 'city', type: 'string' }] }),
    )
    const references = [{ name: 'shop.Address', subject, version: 1 }]
    const given = await registry.registered('avro', {
      ...avro(record({ name: 'to', type: 'shop.Address' })),
      references,
    })
    assert.equal(await thereAndBack(given, '{"to":{"city":"Bern"}}'), '{"to":{"city":"Bern"}}')
  })

  it('is read with the schema it was written with, whatever the subject has now', async () => {
    const { serializer, topic } = await registry.registered('avro', avro(record({ name: 'a', type: 'int' })))
    const bytes = await bytesOf(serializer, '{"a":1}', topic)
    await registry.register(
      `${topic}-value`,
      avro(record({ name: 'a', type: 'int' }, { name: 'b', type: 'int', default: 0 })),
    )
    assert.equal(await registry.valueSerializer('avro').deserialize(bytes, topic), '{"a":1}')
  })
})

describe('JSON Schema', () => {
  const order = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Order',
    type: 'object',
    properties: { id: { type: 'integer', maximum: 2 ** 62 }, at: { type: 'string', format: 'date-time' } },
    required: ['id'],
  }

  it('sends the text as the engine gave it', async () => {
    const { serializer, topic, id } = await registry.registered('json-schema', json(order))
    const text = '{"id": 1234567890123456789, "x": 100.0}'
    const bytes = await bytesOf(serializer, text, topic)
    assert.equal(bytes.toString('hex'), framed(id, Buffer.from(text).toString('hex')))
    assert.equal(await serializer.deserialize(bytes, topic), text)
  })

  const refused: [json: string, problem: RegExp][] = [
    ['{}', /message must have required property 'id'/],
    ['{"id":"a"}', /message\/id must be integer/],
    ['{"id":1,"at":"today"}', /message\/at must match format "date-time"/],
  ]
  for (const [value, problem] of refused) {
    it(`refuses ${value}, naming the place`, async () => {
      await refuses(
        await registry.registered('json-schema', json(order)),
        value,
        'VALUE_NOT_SERIALIZABLE',
        problem,
      )
    })
  }

  for (const draft of [
    'http://json-schema.org/draft-06/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema',
  ]) {
    it(`knows the draft ${draft}`, async () => {
      const given = await registry.registered(
        'json-schema',
        json({ $schema: draft, type: 'object', required: ['a'] }),
      )
      await refuses(given, '{}', 'VALUE_NOT_SERIALIZABLE', /required property 'a'/)
    })
  }
})

describe('Protobuf', () => {
  it('is framed with schema id and a lone zero for the first message', async () => {
    const { serializer, topic, id } = await registry.registered('protobuf', protobuf(ORDER_FILE))
    const bytes = await bytesOf(serializer, '{"id":1}', topic)
    assert.equal(bytes.toString('hex'), framed(id, '000801'))
  })

  const messages: [name: string, json: string, hex: string][] = [
    ['shop.Note', '{"text":"a"}', '02020a0161'],
    ['shop.Order.Line.Price', '{"cents":1}', '060000000801'],
  ]
  for (const [recordName, value, hex] of messages) {
    it(`names the message ${recordName} by its path in the file`, async () => {
      const given = await registry.registered('protobuf', protobuf(ORDER_FILE), { value: { recordName } })
      const bytes = await bytesOf(given.serializer, value, given.topic)
      assert.equal(bytes.toString('hex'), framed(given.id, hex))
      assert.equal(await given.serializer.deserialize(bytes, given.topic), value)
    })
  }

  it('keeps every kind of field, and 64-bit integers by their digits', async () => {
    const value =
      '{"id":9223372036854775807,"customerName":"Zürich 😀","lines":[{"sku":"s","price":{"cents":-5}}],' +
      '"status":"PAID","cash":true,"totals":{"-9223372036854775808":"18446744073709551615","7":9007199254740993},' +
      '"raw":"AP8=","weight":0.1}'
    const text = await thereAndBack(await registry.registered('protobuf', protobuf(ORDER_FILE)), value)
    assert.deepEqual(sortedText(text), sortedText(value))
  })

  it('reads what was left out as its default, and nothing where a field may be absent', async () => {
    const text = await thereAndBack(await registry.registered('protobuf', protobuf(ORDER_FILE)), '{}')
    assert.equal(text, '{"id":0,"customerName":"","lines":[],"status":"NEW","totals":{},"raw":""}')
  })

  it('takes field names as the file has them, too', async () => {
    const text = await thereAndBack(
      await registry.registered('protobuf', protobuf(ORDER_FILE)),
      '{"customer_name":"a"}',
    )
    assert.match(text, /"customerName":"a"/)
  })

  const refused: [json: string, problem: RegExp][] = [
    [
      '{"id":9223372036854775808}',
      /message\.id is 9223372036854775808: it must be a whole number from -9223372036854775808/,
    ],
    [
      '{"totals":{"1":-1}}',
      /message\.totals\.1 is -1: it must be a whole number from 0 to 18446744073709551615/,
    ],
    ['{"lines":[{"skus":1}]}', /message\.lines\[0\]\.skus is no field of Line, which has sku, price/],
    ['{"card":"c","cash":true}', /message\.cash is true: it must be left out, as message\.card is set/],
    ['{"status":"LOST"}', /message\.status is "LOST": it must be one of "NEW", "PAID"/],
  ]
  for (const [value, problem] of refused) {
    it(`refuses ${value}, naming the place`, async () => {
      await refuses(
        await registry.registered('protobuf', protobuf(ORDER_FILE)),
        value,
        'VALUE_NOT_SERIALIZABLE',
        problem,
      )
    })
  }

  it('knows what it imports, from the registry and of Google', async () => {
    const subject = `money-${randomUUID()}`
    await registry.register(
      subject,
      protobuf('syntax = "proto3"; package shop; message Money { int64 cents = 1; }'),
    )
    const paid = `syntax = "proto3"; package shop; import "money.proto"; import "google/protobuf/timestamp.proto";
      message Paid { Money amount = 1; google.protobuf.Timestamp at = 2; }`
    const given = await registry.registered(
      'protobuf',
      protobuf(paid, [{ name: 'money.proto', subject, version: 1 }]),
    )
    const value = '{"amount":{"cents":5},"at":{"seconds":7,"nanos":1}}'
    assert.equal(await thereAndBack(given, value), value)
  })
})

/** The same for objects that differ in the order of their members alone; digits count. */
function sortedText(text: string): string[] {
  return text.match(/"[^"]*":|"[^"]*"|-?[\d.]+|[{}[\]]|true|false|null/g)?.sort() ?? []
}
