import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before } from 'node:test'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Serialization, Serializer } from '../../src/adapters/serialization/serializer.js'
import { createSerializers } from '../../src/adapters/serialization/serializers.js'
import { type ErrorCode, RelayError } from '../../src/core/errors.js'
import { type LocalSchemaRegistry, startSchemaRegistry } from '../../src/stack/schema-registry.js'

export interface Registered {
  serializer: Serializer
  topic: string
  id: number
}

/** A real schema registry for all tests of a file. */
export class RegistryOfTests {
  #registry: LocalSchemaRegistry | undefined

  constructor() {
    let folder: string
    before(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-test-'))
      this.#registry = await startSchemaRegistry({ folder, onProgress: () => undefined })
    })
    after(async () => {
      await this.#registry?.stop()
      await rm(folder, { recursive: true, force: true })
    })
  }

  /** Where it speaks the API of Confluent's. */
  get url(): string {
    assert.ok(this.#registry, 'the registry runs once the tests do')
    return this.#registry.url
  }

  /** Registers a schema through the registry's own API; resolves to its id. */
  async register(subject: string, body: Record<string, unknown>): Promise<number> {
    const answer = await fetch(`${this.url}/subjects/${encodeURIComponent(subject)}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return Value.Parse(Type.Object({ id: Type.Integer() }), await answer.json()).id
  }

  valueSerializer(
    serialization: Serialization,
    settings: Record<string, unknown> = {},
    url = this.url,
  ): Serializer {
    return createSerializers({
      adapter: 'a',
      serializations: { key: 'string', value: serialization },
      settings: { schemaRegistry: { url, ...settings } },
      modulesFolder: undefined,
    }).value
  }

  /** A topic of its own whose subject for values has the schema. */
  async registered(
    serialization: Serialization,
    body: Record<string, unknown>,
    settings: Record<string, unknown> = {},
  ): Promise<Registered> {
    const topic = `t-${randomUUID()}`
    const id = await this.register(`${topic}-value`, body)
    return { topic, id, serializer: this.valueSerializer(serialization, settings) }
  }
}

export async function bytesOf(serializer: Serializer, json: string, topic: string): Promise<Buffer> {
  const bytes = await serializer.serialize(json, topic)
  assert.ok(Buffer.isBuffer(bytes))
  return bytes
}

export async function thereAndBack({ serializer, topic }: Registered, json: string): Promise<string> {
  const text = await serializer.deserialize(await bytesOf(serializer, json, topic), topic)
  assert.ok(typeof text === 'string')
  return text
}

/** Magic byte and id, then the value. */
export function framed(id: number, hex: string): string {
  return `00${id.toString(16).padStart(8, '0')}${hex}`
}

export async function refuses(
  { serializer, topic }: Omit<Registered, 'id'>,
  json: string,
  code: ErrorCode,
  text: RegExp,
): Promise<void> {
  await assert.rejects(async () => serializer.serialize(json, topic), failure(code, text))
}

/** Whether an error is the one expected; for `assert.rejects`. */
export function failure(code: ErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof RelayError)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, text)
    return true
  }
}

/** What the registry is given. */
export const avro = (schema: unknown) => ({ schema: JSON.stringify(schema) })
export const json = (schema: unknown) => ({ schema: JSON.stringify(schema), schemaType: 'JSON' })
export const protobuf = (schema: string, references: unknown[] = []) => ({
  schema,
  schemaType: 'PROTOBUF',
  ...(references.length > 0 && { references }),
})

/** The schema of an Avro record. */
export const record = (...fields: { name: string; type: unknown; default?: unknown }[]) => ({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields,
})

/** A Protobuf file with every kind of field, several messages and nested ones. */
export const ORDER_FILE = `syntax = "proto3";
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
