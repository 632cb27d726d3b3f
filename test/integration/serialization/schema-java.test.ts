import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Serialization } from '../../../src/adapters/serialization/serializer.js'
import { parseExact } from '../../../src/core/exact-json.js'
import { runSerdesJava } from '../../helpers/kafka-java.js'
import {
  avro,
  bytesOf,
  json,
  ORDER_FILE,
  protobuf,
  RegistryOfTests,
  record,
} from '../../helpers/schema-registry.js'

const registry = new RegistryOfTests()

describe('serializers in Java', () => {
  const everything = record(
    { name: 'i', type: 'int' },
    { name: 'l', type: 'long' },
    { name: 'f', type: 'float' },
    { name: 'd', type: 'double' },
    { name: 'b', type: 'boolean' },
    { name: 's', type: 'string' },
    { name: 'n', type: ['null', 'long'] },
    { name: 'u', type: ['null', 'int', 'string'] },
    { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] } },
    { name: 'a', type: { type: 'array', items: 'long' } },
    { name: 'm', type: { type: 'map', values: 'double' } },
    { name: 'r', type: { type: 'record', name: 'R', fields: [{ name: 'x', type: 'string' }] } },
    { name: 'y', type: 'bytes' },
    { name: 'z', type: { type: 'fixed', name: 'F', size: 2 } },
  )
  const fields = (f: string, n: string, u: string, y: string, z: string) =>
    `{"i":-2147483648,"l":9007199254740993,"f":${f},"d":1.5,"b":true,"s":"Zürich 北京 😀","n":${n},"u":${u},` +
    `"e":"B","a":[1,-64,9223372036854775807],"m":{"k":0.25},"r":{"x":""},"y":"${y}","z":"${z}"}`
  const note = json({ type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] })
  const noteText = '{"id":1234567890123456789,"text":"Zürich 北京"}'

  interface Vector {
    what: string
    serialization: Serialization
    body: { schema: string }
    /** Of Protobuf; without the package. */
    message?: string
    /** As our serializers take and give it. */
    ours: string
    /** As Java's own JSON of the format has it; default: the same. */
    java?: string
    /** What these serializers write after the schema id where Confluent's and ours write a lone zero. */
    javaPath?: string
  }
  const vectors: Vector[] = [
    {
      what: 'an Avro record of every type',
      serialization: 'avro',
      body: avro(everything),
      ours: fields('0.1', '-9223372036854775808', '"a"', 'AP/+', 'AP8='),
      java: fields(
        '0.10000000149011612',
        '{"long":-9223372036854775808}',
        '{"string":"a"}',
        '\\u0000\\u00ff\\u00fe',
        '\\u0000\\u00ff',
      ),
    },
    {
      what: 'an Avro record with nulls',
      serialization: 'avro',
      body: avro(everything),
      ours: fields('0.1', 'null', 'null', '', 'AAA='),
      java: fields('0.10000000149011612', 'null', 'null', '', '\\u0000\\u0000'),
    },
    { what: 'JSON with a schema', serialization: 'json-schema', body: note, ours: noteText },
    {
      what: 'the first message of a Protobuf file',
      serialization: 'protobuf',
      body: protobuf(ORDER_FILE),
      message: 'Order',
      javaPath: '0200',
      ours:
        '{"id":9223372036854775807,"customerName":"Zürich 😀","lines":[{"sku":"s","price":{"cents":-5}}],' +
        '"status":"PAID","cash":true,"totals":{"-7":9007199254740993},"raw":"AP8=","weight":0.1}',
      java:
        '{"id":"9223372036854775807","customerName":"Zürich 😀","lines":[{"sku":"s","price":{"cents":-5}}],' +
        '"status":"PAID","cash":true,"totals":{"-7":"9007199254740993"},"raw":"AP8=","weight":0.1}',
    },
    {
      what: 'another message of a Protobuf file',
      serialization: 'protobuf',
      body: protobuf(ORDER_FILE),
      message: 'Note',
      ours: '{"text":"a"}',
    },
    {
      what: 'a nested message of a Protobuf file',
      serialization: 'protobuf',
      body: protobuf(ORDER_FILE),
      message: 'Order.Line.Price',
      ours: '{"cents":1}',
    },
  ]

  interface Compared {
    ours: { bytes: Buffer; readOfJava: string }
    java: { hex: string; json: string }
  }
  const compared: Compared[] = []

  before(async () => {
    const made = await Promise.all(
      vectors.map(async ({ serialization, body, message, ours, java = ours }) => {
        const settings = message === undefined ? {} : { value: { recordName: `shop.${message}` } }
        const { serializer, topic } = await registry.registered(serialization, body, settings)
        const bytes = await bytesOf(serializer, ours, topic)
        const { schema } = body
        const line = { serialization, topic, schema, message, json: java, hex: bytes.toString('hex') }
        return { serializer, topic, bytes, line: JSON.stringify(line) }
      }),
    )
    const url = registry.url.replace('/apis/ccompat/v7', '/apis/registry/v3')
    const input = made.map(({ line }) => `${line}\n`).join('')
    const answers = (await runSerdesJava('SchemaVectors.java', [url], input)).trimEnd().split('\n')
    for (const [index, { serializer, topic, bytes }] of made.entries()) {
      const java = Value.Parse(
        Type.Object({ hex: Type.String(), json: Type.String() }),
        JSON.parse(answers[index] ?? ''),
      )
      const readOfJava = await serializer.deserialize(Buffer.from(java.hex, 'hex'), topic)
      assert.ok(typeof readOfJava === 'string')
      compared.push({ ours: { bytes, readOfJava }, java })
    }
  })

  for (const [index, { what, ours, java = ours, javaPath }] of vectors.entries()) {
    it(`make the same bytes as ours of ${what}`, () => {
      const hex = compared[index]?.ours.bytes.toString('hex') ?? ''
      const expected = javaPath === undefined ? hex : hex.slice(0, 10) + javaPath + hex.slice(12)
      assert.equal(compared[index]?.java.hex, expected)
    })

    it(`make bytes that ours read of ${what}`, () => {
      assert.deepEqual(parseExact(compared[index]?.ours.readOfJava ?? ''), parseExact(ours))
    })

    it(`read what ours make of ${what}`, () => {
      assert.deepEqual(parseExact(compared[index]?.java.json ?? ''), parseExact(java))
    })
  }
})
