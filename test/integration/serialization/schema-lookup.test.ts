import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { createSerializers } from '../../../src/adapters/serialization/serializers.js'
import { type ErrorCode, RelayError } from '../../../src/core/errors.js'
import { registryProxy } from '../../helpers/registry-proxy.js'
import {
  avro,
  bytesOf,
  failure,
  framed,
  RegistryOfTests,
  record,
  refuses,
} from '../../helpers/schema-registry.js'

const registry = new RegistryOfTests()

describe('the schema of a message', () => {
  const order = record({ name: 'id', type: 'int' })
  const text = JSON.stringify(order)

  it('is one for keys where the key is asked for', async () => {
    const topic = `t-${randomUUID()}`
    const id = await registry.register(`${topic}-key`, avro('string'))
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
      const id = await registry.register(subjectOf(topic, name), avro({ ...order, name }))
      const serializer = registry.valueSerializer('avro', {
        subjectStrategy,
        value: { recordName: `shop.${name}` },
      })
      assert.equal((await bytesOf(serializer, '{"id":1}', topic)).toString('hex'), framed(id, '02'))
    })
  }

  it('is named by its own text where that is given', async () => {
    const value = { schema: text, register: true }
    const serializer = registry.valueSerializer('avro', { subjectStrategy: 'record', value })
    const bytes = await bytesOf(serializer, '{"id":1}', 'any')
    const latest = await fetch(`${registry.url}/subjects/shop.Order/versions/latest`)
    const { id } = Value.Parse(Type.Object({ id: Type.Integer() }), await latest.json())
    assert.equal(bytes.toString('hex'), framed(id, '02'))
  })

  it('is the version asked for', async () => {
    const topic = `t-${randomUUID()}`
    const id = await registry.register(`${topic}-value`, avro(order))
    await registry.register(
      `${topic}-value`,
      avro(record({ name: 'id', type: 'int' }, { name: 'n', type: 'int', default: 0 })),
    )
    const bytes = await bytesOf(
      registry.valueSerializer('avro', { value: { version: 1 } }),
      '{"id":1}',
      topic,
    )
    assert.equal(bytes.toString('hex'), framed(id, '02'))
  })

  it('is the one of an id, whatever the topic', async () => {
    const { id } = await registry.registered('avro', avro(order))
    const bytes = await bytesOf(
      registry.valueSerializer('avro', { value: { schemaId: id } }),
      '{"id":1}',
      'any',
    )
    assert.equal(bytes.toString('hex'), framed(id, '02'))
  })

  it('is not registered unless the adapter says so', async () => {
    const topic = `t-${randomUUID()}`
    const serializer = registry.valueSerializer('avro', { value: { schema: text } })
    await refuses({ serializer, topic }, '{"id":1}', 'SCHEMA_UNKNOWN', new RegExp(`subject ${topic}-value`))
    await bytesOf(
      registry.valueSerializer('avro', { value: { schema: text, register: true } }),
      '{"id":1}',
      topic,
    )
  })

  it('must be of the kind the adapter serializes with', async () => {
    const { topic } = await registry.registered('avro', avro(order))
    const serializer = registry.valueSerializer('protobuf')
    await refuses(
      { serializer, topic },
      '{"id":1}',
      'SCHEMA_INVALID',
      /of type AVRO, but the value's serialization is protobuf/,
    )
  })

  it('is not asked for a tombstone', async () => {
    assert.equal(await registry.valueSerializer('avro').serialize('null', 'no-such-topic'), null)
    assert.equal(await registry.valueSerializer('avro').deserialize(null, 'no-such-topic'), 'null')
  })

  it('is missed when bytes do not begin with its id', async () => {
    const read = async () => registry.valueSerializer('avro').deserialize(Buffer.from('{"a":1}'), 't')
    await assert.rejects(read, failure('VALUE_NOT_DESERIALIZABLE', /does not begin with the id of a schema/))
  })

  it('is missed when nobody registered it', async () => {
    const topic = `t-${randomUUID()}`
    const serializer = registry.valueSerializer('avro')
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
    const { topic } = await registry.registered('avro', schema)
    const serializer = registry.valueSerializer('avro', {}, proxy.url)
    await Promise.all(Array.from({ length: 100 }, async () => bytesOf(serializer, '{"id":1}', topic)))
    assert.deepEqual(proxy.asked, [`GET /subjects/${topic}-value/versions/latest`])
  })

  it('is not waited for once the schema is known', async () => {
    const { serializer, topic } = await registry.registered('avro', schema)
    await serializer.serialize('{"id":1}', topic)
    assert.ok(Buffer.isBuffer(serializer.serialize('{"id":2}', topic)))
  })

  it('may be down while schemas are known', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    const { topic } = await registry.registered('avro', schema)
    const serializer = registry.valueSerializer('avro', {}, proxy.url)
    const bytes = await bytesOf(serializer, '{"id":1}', topic)
    proxy.fault = 503
    await bytesOf(serializer, '{"id":2}', topic)
    assert.equal(await serializer.deserialize(bytes, topic), '{"id":1}')
  })

  it('that is down makes one failed request for all who need it', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    proxy.fault = 503
    const serializer = registry.valueSerializer('avro', {}, proxy.url)
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
    const { topic } = await registry.registered('avro', schema)
    const serializer = registry.valueSerializer('avro', { username: 'relay', password: 'geheim' }, proxy.url)
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
      const serializer = registry.valueSerializer(
        'avro',
        { username: 'relay', password: 'geheim' },
        proxy.url,
      )
      await assert.rejects(
        async () => serializer.serialize('1', 'orders'),
        (error) => failure(code, text)(error) && !String(error).includes('geheim'),
      )
    })
  }

  it('that does not answer is given up on after its time limit', async (t) => {
    const proxy = await registryProxy(t, registry.url)
    proxy.fault = 'silent'
    const serializer = registry.valueSerializer('avro', { timeoutMs: 200 }, proxy.url)
    await refuses(
      { serializer, topic: 'orders' },
      '1',
      'SCHEMA_REGISTRY_UNREACHABLE',
      /no answer within 200 ms/,
    )
  })

  it('that is not there is told of with its address', async () => {
    const serializer = registry.valueSerializer('avro', {}, 'http://127.0.0.1:9')
    await refuses(
      { serializer, topic: 'orders' },
      '1',
      'SCHEMA_REGISTRY_UNREACHABLE',
      /http:\/\/127\.0\.0\.1:9 did not answer about subject orders-value/,
    )
  })

  it('that is something else is found out', async () => {
    const serializer = registry.valueSerializer(
      'avro',
      { value: { schemaId: 1 } },
      `${new URL(registry.url).origin}/nowhere`,
    )
    await refuses({ serializer, topic: 'orders' }, '1', 'SCHEMA_UNKNOWN', /answered 404/)
  })
})
