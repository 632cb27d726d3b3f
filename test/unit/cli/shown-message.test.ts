import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  DROPPED,
  type Serialization,
  type Serializer,
} from '../../../src/adapters/serialization/serializer.js'
import { createSerializers } from '../../../src/adapters/serialization/serializers.js'
import type { ConsumedMessage } from '../../../src/brokers/operator.js'
import { type ShownMessage, showBase64, showDeserialized, showRaw } from '../../../src/cli/shown-message.js'
import { RelayError } from '../../../src/core/errors.js'

const MESSAGE: ConsumedMessage = {
  topic: 'orders',
  partition: 0,
  offset: '1',
  timestamp: 0,
  key: Buffer.from([0, 0, 0, 7]),
  value: Buffer.from('{\n"a": 1.0}'),
  headers: {},
}

function show(
  message: Partial<ConsumedMessage>,
  value: Serialization = 'json',
  own?: Serializer,
): Promise<ShownMessage> {
  const serializations = { key: 'integer', value } as const
  const serializers = createSerializers({
    adapter: 'a',
    serializations: own ? { key: 'integer', value: 'string' } : serializations,
    settings: {},
    modulesFolder: undefined,
  })
  return showDeserialized(own ? { ...serializers, value: own } : serializers, {
    keySerialization: 'integer',
    valueSerialization: value,
  })({ ...MESSAGE, ...message })
}

function reader(deserialize: Serializer['deserialize']): Serializer {
  return { serialize: () => null, deserialize }
}

describe('keys and values', () => {
  it("are read by the adapter's serialization, on one line, with their size in the message", async () => {
    const { key, value } = await show({})
    assert.deepEqual(key, { text: Buffer.from('7'), json: '7', size: 4 })
    assert.deepEqual(value, { text: Buffer.from('{ "a": 1.0}'), json: '{ "a": 1.0}', size: 11 })
  })

  it('that are not there are null', async () => {
    const { key, value } = await show({ key: null, value: null })
    assert.deepEqual([key, value], [null, null])
  })

  it('that cannot be read are shown as bytes, with the reason', async () => {
    const { key, value, problem } = await show({ value: Buffer.from('{') })
    assert.equal(key?.json, '7')
    assert.equal(value?.json, '{"base64":"ew=="}')
    assert.equal(problem?.code, 'VALUE_NOT_DESERIALIZABLE')
    assert.match(problem?.description ?? '', /message is no JSON/)
  })

  it("that the adapter's module drops are shown as bytes, and that it drops them", async () => {
    const { value, skipped } = await show(
      { value: Buffer.from('x') },
      'custom',
      reader(() => DROPPED),
    )
    assert.deepEqual([value?.json, skipped], ['{"base64":"eA=="}', true])
  })

  it('end the reading when what is wrong would befall every message', async () => {
    const away = reader(() => {
      throw new RelayError('SCHEMA_REGISTRY_UNREACHABLE', 'away')
    })
    await assert.rejects(show({}, 'avro', away), { code: 'SCHEMA_REGISTRY_UNREACHABLE' })
  })

  it('are bytes as they are when shown raw', async () => {
    const value = Buffer.of(0xff)
    const shown = await showRaw({ ...MESSAGE, value })
    assert.deepEqual(shown.value, { text: value, json: '{"base64":"/w=="}', size: 1 })
  })

  it('are base64 when asked for', async () => {
    const { key, value } = await showBase64({ ...MESSAGE, value: null })
    assert.deepEqual([key, value], [{ text: Buffer.from('AAAABw=='), json: '"AAAABw=="', size: 4 }, null])
  })
})
