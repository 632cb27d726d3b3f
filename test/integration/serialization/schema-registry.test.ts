import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Serialization, Serializer } from '../../../src/adapters/serialization/serializer.js'
import { createSerializers } from '../../../src/adapters/serialization/serializers.js'
import { type ErrorCode, RelayError } from '../../../src/core/errors.js'
import { type LocalSchemaRegistry, startSchemaRegistry } from '../../../src/stack/schema-registry.js'
import { registryProxy } from '../../helpers/registry-proxy.js'

let registry: LocalSchemaRegistry
let folder: string

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-test-'))
  registry = await startSchemaRegistry({ folder, onProgress: () => undefined })
})
after(async () => {
  await registry?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Registers a schema through the registry's own API; resolves to its id. */
async function register(subject: string, body: Record<string, unknown>): Promise<number> {
  const answer = await fetch(`${registry.url}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return Value.Parse(Type.Object({ id: Type.Integer() }), await answer.json()).id
}

interface Registered {
  serializer: Serializer
  topic: string
  id: number
}

function valueSerializer(
  serialization: Serialization,
  settings: Record<string, unknown> = {},
  url = registry.url,
): Serializer {
  return createSerializers({
    adapter: 'a',
    serializations: { key: 'string', value: serialization },
    settings: { schemaRegistry: { url, ...settings } },
    modulesFolder: undefined,
  }).value
}

/** A topic of its own whose subject for values has the schema. */
async function registered(
  serialization: Serialization,
  body: Record<string, unknown>,
  settings: Record<string, unknown> = {},
): Promise<Registered> {
  const topic = `t-${randomUUID()}`
  const id = await register(`${topic}-value`, body)
  return { topic, id, serializer: valueSerializer(serialization, settings) }
}

async function bytesOf(serializer: Serializer, json: string, topic: string): Promise<Buffer> {
  const bytes = await serializer.serialize(json, topic)
  assert.ok(Buffer.isBuffer(bytes))
  return bytes
}

async function thereAndBack({ serializer, topic }: Registered, json: string): Promise<string> {
  const text = await serializer.deserialize(await bytesOf(serializer, json, topic), topic)
  assert.ok(typeof text === 'string')
  return text
}

/** Magic byte and id, then the value. */
function framed(id: number, hex: string): string {
  return `00${id.toString(16).padStart(8, '0')}${hex}`
}

function failure(code: ErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof RelayError)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, text)
    return true
  }
}

async function refuses(
  { serializer, topic }: Omit<Registered, 'id'>,
  json: string,
  code: ErrorCode,
  text: RegExp,
): Promise<void> {
  await assert.rejects(async () => serializer.serialize(json, topic), failure(code, text))
}

const avro = (schema: unknown) => ({ schema: JSON.stringify(schema) })
const record = (...fields: { name: string; type: unknown; default?: unknown }[]) => ({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields,
})
const json = (schema: unknown) => ({ schema: JSON.stringify(schema), schemaType: 'JSON' })
const protobuf = (schema: string, references: unknown[] = []) => ({
  schema,
  schemaType: 'PROTOBUF',
  ...(references.length > 0 && { references }),
})

describe('Avro', () => {
  it('is framed with the id of the schema', async () => {
    const order = record({ name: 'id', type: 'long' }, { name: 'name', type: 'string' })
    const { serializer, topic, id } = await registered('avro', avro(order))
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
      const given = await registered('avro', avro(record({ name: 'f', type })))
      assert.equal(await thereAndBack(given, `{"f":${value}}`), `{"f":${value}}`)
    })
  }

  it('takes a value of a union as Avro writes it in JSON, too', async () => {
    const given = await registered('avro', avro(record({ name: 'f', type: ['null', 'int', 'long'] })))
    const { serializer, topic, id } = given
    const bytes = await bytesOf(serializer, '{"f":{"long":1}}', topic)
    assert.equal(bytes.toString('hex'), framed(id, '0402'))
  })

  it('fills a missing field with its default', async () => {
    const given = await registered(
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
      const given = await registered('avro', avro(record({ name: 'n', type: 'int' })))
      await refuses(given, value, 'VALUE_NOT_SERIALIZABLE', problem)
    })
  }

  it('knows types of schemas it refers to', async () => {
    const subject = `address-${randomUUID()}`
    await register(
      subject,
      avro({ type: 'record', name: 'shop.Address', fields: [{ name: 'city', type: 'string' }] }),
    )
    const references = [{ name: 'shop.Address', subject, version: 1 }]
    const given = await registered('avro', {
      ...avro(record({ name: 'to', type: 'shop.Address' })),
      references,
    })
    assert.equal(await thereAndBack(given, '{"to":{"city":"Bern"}}'), '{"to":{"city":"Bern"}}')
  })

  it('is read with the schema it was written with, whatever the subject has now', async () => {
    const { serializer, topic } = await registered('avro', avro(record({ name: 'a', type: 'int' })))
    const bytes = await bytesOf(serializer, '{"a":1}', topic)
    await register(
      `${topic}-value`,
      avro(record({ name: 'a', type: 'int' }, { name: 'b', type: 'int', default: 0 })),
    )
    assert.equal(await valueSerializer('avro').deserialize(bytes, topic), '{"a":1}')
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
    const { serializer, topic, id } = await registered('json-schema', json(order))
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
      await refuses(await registered('json-schema', json(order)), value, 'VALUE_NOT_SERIALIZABLE', problem)
    })
  }

  for (const draft of [
    'http://json-schema.org/draft-06/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema',
  ]) {
    it(`knows the draft ${draft}`, async () => {
      const given = await registered('json-schema', json({ $schema: draft, type: 'object', required: ['a'] }))
      await refuses(given, '{}', 'VALUE_NOT_SERIALIZABLE', /required property 'a'/)
    })
  }
})

describe('Protobuf', () => {
  const order = `syntax = "proto3";
    package shop;
    message Order {
      int64 id = 1;
      string customer_name = 2;
      repeated Line lines = 3;
      Status status = 4;
      oneof payment { string card = 5; bool cash = 6; }
      map<int64, uint64> totals = 7;
      bytes raw = 8;
      optional float weight = 9;
      message Line { string sku = 1; message Price { int32 cents = 1; } Price price = 2; }
    }
    message Note { string text = 1; }
    enum Status { NEW = 0; PAID = 1; }`

  it('is framed with schema id and a lone zero for the first message', async () => {
    const { serializer, topic, id } = await registered('protobuf', protobuf(order))
    const bytes = await bytesOf(serializer, '{"id":1}', topic)
    assert.equal(bytes.toString('hex'), framed(id, '000801'))
  })

  const messages: [name: string, json: string, hex: string][] = [
    ['shop.Note', '{"text":"a"}', '02020a0161'],
    ['shop.Order.Line.Price', '{"cents":1}', '060000000801'],
  ]
  for (const [recordName, value, hex] of messages) {
    it(`names the message ${recordName} by its path in the file`, async () => {
      const given = await registered('protobuf', protobuf(order), { value: { recordName } })
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
    const text = await thereAndBack(await registered('protobuf', protobuf(order)), value)
    assert.deepEqual(sortedText(text), sortedText(value))
  })

  it('reads what was left out as its default, and nothing where a field may be absent', async () => {
    const text = await thereAndBack(await registered('protobuf', protobuf(order)), '{}')
    assert.equal(text, '{"id":0,"customerName":"","lines":[],"status":"NEW","totals":{},"raw":""}')
  })

  it('takes field names as the file has them, too', async () => {
    const text = await thereAndBack(await registered('protobuf', protobuf(order)), '{"customer_name":"a"}')
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
      await refuses(await registered('protobuf', protobuf(order)), value, 'VALUE_NOT_SERIALIZABLE', problem)
    })
  }

  it('knows what it imports, from the registry and of Google', async () => {
    const subject = `money-${randomUUID()}`
    await register(subject, protobuf('syntax = "proto3"; package shop; message Money { int64 cents = 1; }'))
    const paid = `syntax = "proto3"; package shop; import "money.proto"; import "google/protobuf/timestamp.proto";
      message Paid { Money amount = 1; google.protobuf.Timestamp at = 2; }`
    const given = await registered('protobuf', protobuf(paid, [{ name: 'money.proto', subject, version: 1 }]))
    const value = '{"amount":{"cents":5},"at":{"seconds":7,"nanos":1}}'
    assert.equal(await thereAndBack(given, value), value)
  })
})

describe('the schema of a message', () => {
  const order = record({ name: 'id', type: 'int' })
  const text = JSON.stringify(order)

  it('is one for keys where the key is asked for', async () => {
    const topic = `t-${randomUUID()}`
    const id = await register(`${topic}-key`, avro('string'))
    const { key } = createSerializers({
      adapter: 'a',
      serializations: { key: 'avro', value: 'string' },
      settings: { schemaRegistry: { url: registry.url } },
      modulesFolder: undefined,
    })
    assert.equal((await bytesOf(key, '"k"', topic)).toString('hex'), framed(id, '026b'))
  })

  const strategies: [strategy: string, subjectOf: (topic: string, name: string) => string][] = [
    ['record', (_, name) => `shop.${name}`],
    ['topic-record', (topic, name) => `${topic}-shop.${name}`],
  ]
  for (const [subjectStrategy, subjectOf] of strategies) {
    it(`is found by the strategy ${subjectStrategy}`, async () => {
      const [topic, name] = [`t-${randomUUID()}`, `Order${Date.now()}`]
      const id = await register(subjectOf(topic, name), avro({ ...order, name }))
      const serializer = valueSerializer('avro', { subjectStrategy, value: { recordName: `shop.${name}` } })
      assert.equal((await bytesOf(serializer, '{"id":1}', topic)).toString('hex'), framed(id, '02'))
    })
  }

  it('is named by its own text where that is given', async () => {
    const value = { schema: text, register: true }
    const serializer = valueSerializer('avro', { subjectStrategy: 'record', value })
    const bytes = await bytesOf(serializer, '{"id":1}', 'any')
    const latest = await fetch(`${registry.url}/subjects/shop.Order/versions/latest`)
    const { id } = Value.Parse(Type.Object({ id: Type.Integer() }), await latest.json())
    assert.equal(bytes.toString('hex'), framed(id, '02'))
  })

  it('is the version asked for', async () => {
    const topic = `t-${randomUUID()}`
    const id = await register(`${topic}-value`, avro(order))
    await register(
      `${topic}-value`,
      avro(record({ name: 'id', type: 'int' }, { name: 'n', type: 'int', default: 0 })),
    )
    const bytes = await bytesOf(valueSerializer('avro', { value: { version: 1 } }), '{"id":1}', topic)
    assert.equal(bytes.toString('hex'), framed(id, '02'))
  })

  it('is the one of an id, whatever the topic', async () => {
    const { id } = await registered('avro', avro(order))
    const bytes = await bytesOf(valueSerializer('avro', { value: { schemaId: id } }), '{"id":1}', 'any')
    assert.equal(bytes.toString('hex'), framed(id, '02'))
  })

  it('is not registered unless the adapter says so', async () => {
    const topic = `t-${randomUUID()}`
    const serializer = valueSerializer('avro', { value: { schema: text } })
    await refuses({ serializer, topic }, '{"id":1}', 'SCHEMA_UNKNOWN', new RegExp(`subject ${topic}-value`))
    await bytesOf(valueSerializer('avro', { value: { schema: text, register: true } }), '{"id":1}', topic)
  })

  it('must be of the kind the adapter serializes with', async () => {
    const { topic } = await registered('avro', avro(order))
    const serializer = valueSerializer('protobuf')
    await refuses(
      { serializer, topic },
      '{"id":1}',
      'SCHEMA_INVALID',
      /of type AVRO, but the value's serialization is protobuf/,
    )
  })

  it('is not asked for a tombstone', async () => {
    assert.equal(await valueSerializer('avro').serialize('null', 'no-such-topic'), null)
    assert.equal(await valueSerializer('avro').deserialize(null, 'no-such-topic'), 'null')
  })

  it('is missed when bytes do not begin with its id', async () => {
    const read = async () => valueSerializer('avro').deserialize(Buffer.from('{"a":1}'), 't')
    await assert.rejects(read, failure('VALUE_NOT_DESERIALIZABLE', /does not begin with the id of a schema/))
  })

  it('is missed when nobody registered it', async () => {
    const topic = `t-${randomUUID()}`
    const serializer = valueSerializer('avro')
    await refuses(
      { serializer, topic },
      '1',
      'SCHEMA_UNKNOWN',
      /answered 404 about subject t-.*-value, version latest/,
    )
  })
})

describe('a schema registry', () => {
  const schema = avro(record({ name: 'id', type: 'int' }))

  it('is asked once for all messages of a topic', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    const { topic } = await registered('avro', schema)
    const serializer = valueSerializer('avro', {}, proxy.url)
    await Promise.all(Array.from({ length: 100 }, async () => bytesOf(serializer, '{"id":1}', topic)))
    assert.deepEqual(proxy.asked, [`GET /subjects/${topic}-value/versions/latest`])
  })

  it('is not waited for once the schema is known', async () => {
    const { serializer, topic } = await registered('avro', schema)
    await serializer.serialize('{"id":1}', topic)
    assert.ok(Buffer.isBuffer(serializer.serialize('{"id":2}', topic)))
  })

  it('may be down while schemas are known', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    const { topic } = await registered('avro', schema)
    const serializer = valueSerializer('avro', {}, proxy.url)
    const bytes = await bytesOf(serializer, '{"id":1}', topic)
    proxy.fault = 503
    await bytesOf(serializer, '{"id":2}', topic)
    assert.equal(await serializer.deserialize(bytes, topic), '{"id":1}')
  })

  it('that is down makes one failed request for all who need it', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    proxy.fault = 503
    const serializer = valueSerializer('avro', {}, proxy.url)
    const ends = await Promise.allSettled(
      Array.from({ length: 100 }, async () => serializer.serialize('{"id":1}', 'orders')),
    )
    assert.ok(
      ends.every(
        (end) => end.status === 'rejected' && end.reason instanceof RelayError && end.reason.retryable,
      ),
    )
    await refuses({ serializer, topic: 'orders' }, '1', 'SCHEMA_REGISTRY_UNREACHABLE', /answered 503/)
    assert.equal(proxy.asked.length, 1)
  })

  it('gets user and password', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    const { topic } = await registered('avro', schema)
    const serializer = valueSerializer('avro', { username: 'relay', password: 'geheim' }, proxy.url)
    await bytesOf(serializer, '{"id":1}', topic)
    assert.equal(proxy.authorization, `Basic ${Buffer.from('relay:geheim').toString('base64')}`)
  })

  const answers: [status: number, code: ErrorCode, text: RegExp][] = [
    [401, 'AUTHENTICATION_FAILED', /correct schemaRegistry\.username and schemaRegistry\.password/],
    [403, 'NOT_AUTHORIZED', /answered 403/],
    [409, 'SCHEMA_INVALID', /answered 409 .*a fault of the test: correct the schema/],
    [429, 'SCHEMA_REGISTRY_UNREACHABLE', /answered 429/],
  ]
  for (const [status, code, text] of answers) {
    it(`that answers ${status} is told of as ${code}, without the password`, async (t) => {
      const proxy = await registryProxy(t, registry.url)
      proxy.fault = status
      const serializer = valueSerializer('avro', { username: 'relay', password: 'geheim' }, proxy.url)
      await assert.rejects(
        async () => serializer.serialize('1', 'orders'),
        (error) => failure(code, text)(error) && !String(error).includes('geheim'),
      )
    })
  }

  it('that does not answer is given up on after its time limit', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    proxy.fault = 'silent'
    const serializer = valueSerializer('avro', { timeoutMs: 200 }, proxy.url)
    await refuses(
      { serializer, topic: 'orders' },
      '1',
      'SCHEMA_REGISTRY_UNREACHABLE',
      /no answer within 200 ms/,
    )
  })

  it('that is not there is told of with its address', async () => {
    const serializer = valueSerializer('avro', {}, 'http://127.0.0.1:9')
    await refuses(
      { serializer, topic: 'orders' },
      '1',
      'SCHEMA_REGISTRY_UNREACHABLE',
      /http:\/\/127\.0\.0\.1:9 did not answer about subject orders-value/,
    )
  })

  it('that is something else is found out', async () => {
    const serializer = valueSerializer(
      'avro',
      { value: { schemaId: 1 } },
      `${new URL(registry.url).origin}/nowhere`,
    )
    await refuses({ serializer, topic: 'orders' }, '1', 'SCHEMA_UNKNOWN', /answered 404/)
  })
})

/** The same for objects that differ in the order of their members alone; digits count. */
function sortedText(text: string): string[] {
  return text.match(/"[^"]*":|"[^"]*"|-?[\d.]+|[{}[\]]|true|false|null/g)?.sort() ?? []
}
