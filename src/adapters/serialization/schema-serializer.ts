import { RelayError } from '../../core/errors.js'
import { avroCodec, avroName } from './avro.js'
import { jsonSchemaCodec, jsonSchemaName } from './json-schema.js'
import { Loading } from './loading.js'
import { protobufCodec, protobufName } from './protobuf.js'
import type { RegisteredSchema, SchemaRegistry } from './schema-registry.js'
import { type Deserialized, fieldOf, type Serialized, type Serializer, type Side } from './serializer.js'
import {
  SCHEMA_TYPES,
  type SchemaRegistrySettings,
  type SchemaSerialization,
  type SubjectSettings,
} from './settings.js'
import { type Codec, notDeserializable } from './values.js'

const MAGIC = 0
const HEADER_BYTES = 5
/** How long "unknown" or "unreachable" is the answer for all messages of a topic before the registry is asked again. */
const FAILURE_MS = 1000
/** Age at which the schema of a topic is asked for again. What was known stays in use while the registry is away. */
const FRESH_MS = 5 * 60_000

/** What the messages of one topic are written with. */
interface Writer {
  header: Buffer
  codec: Codec
}

/**
 * Bytes that begin with the id of their schema: zero, the id in four bytes, then the value. Read with whatever schema
 * they name.
 */
export class SchemaSerializer implements Serializer {
  readonly #serialization: SchemaSerialization
  readonly #registry: SchemaRegistry
  readonly #strategy: SchemaRegistrySettings['subjectStrategy']
  readonly #subject: SubjectSettings
  readonly #side: Side
  readonly #field: string
  readonly #writers: Loading<string, Writer>
  readonly #codecs = new Map<number, Codec>()

  constructor(
    serialization: SchemaSerialization,
    side: Side,
    settings: SchemaRegistrySettings,
    registry: SchemaRegistry,
  ) {
    this.#serialization = serialization
    this.#registry = registry
    this.#strategy = settings.subjectStrategy
    this.#subject = settings[side] ?? { register: false }
    this.#side = side
    this.#field = fieldOf(side)
    this.#writers = new Loading((topic) => this.#writer(topic), { freshMs: FRESH_MS, failureMs: FAILURE_MS })
  }

  serialize(json: string, topic: string): Serialized | Promise<Serialized> {
    if (json === 'null') return null
    const writer = this.#writers.get(topic)
    return writer instanceof Promise
      ? writer.then((loaded) => this.#write(loaded, json))
      : this.#write(writer, json)
  }

  deserialize(bytes: Buffer | null): Deserialized | Promise<Deserialized> {
    if (bytes === null) return 'null'
    if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC) {
      throw notDeserializable(
        this.#field,
        `does not begin with the id of a schema, as the serialization "${this.#serialization}" needs: choose the one it was written with`,
      )
    }
    const id = bytes.readUInt32BE(1)
    const codec = this.#codecs.get(id) ?? this.#codecOf(id)
    const body = bytes.subarray(HEADER_BYTES)
    return codec instanceof Promise
      ? codec.then((loaded) => loaded.decode(body, this.#field))
      : codec.decode(body, this.#field)
  }

  #write({ header, codec }: Writer, json: string): Buffer {
    return Buffer.concat([header, codec.encode(json, this.#field)])
  }

  async #codecOf(id: number): Promise<Codec> {
    return this.#compiled(await this.#registry.byId(id))
  }

  async #writer(topic: string): Promise<Writer> {
    const schema = await this.#schemaFor(topic)
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32BE(schema.id, 1)
    return { header, codec: this.#compiled(schema) }
  }

  #schemaFor(topic: string): RegisteredSchema | Promise<RegisteredSchema> {
    const { schemaId, schema, version, register } = this.#subject
    if (schemaId !== undefined) return this.#registry.byId(schemaId)
    const subject = this.#subjectOf(topic)
    if (schema === undefined) return this.#registry.bySubject(subject, version ?? 'latest')
    return this.#registry.registered(subject, SCHEMA_TYPES[this.#serialization], schema, register)
  }

  #subjectOf(topic: string): string {
    switch (this.#strategy) {
      case 'topic':
        return `${topic}-${this.#side}`
      case 'record':
        return this.#recordName()
      case 'topic-record':
        return `${topic}-${this.#recordName()}`
      default:
        return this.#strategy satisfies never
    }
  }

  #recordName(): string {
    const { recordName, schema = '' } = this.#subject
    if (recordName !== undefined) return recordName
    switch (this.#serialization) {
      case 'avro':
        return avroName(schema)
      case 'json-schema':
        return jsonSchemaName(schema)
      case 'protobuf':
        return protobufName(schema)
      default:
        return this.#serialization satisfies never
    }
  }

  #compiled(schema: RegisteredSchema): Codec {
    let codec = this.#codecs.get(schema.id)
    if (codec === undefined) {
      codec = this.#compile(schema)
      this.#codecs.set(schema.id, codec)
    }
    return codec
  }

  #compile(schema: RegisteredSchema): Codec {
    const type = SCHEMA_TYPES[this.#serialization]
    if (schema.type !== type) {
      throw new RelayError(
        'SCHEMA_INVALID',
        `schema ${schema.id} is of type ${schema.type}, but the ${this.#side}'s serialization is ${this.#serialization}: correct the one or the other`,
      )
    }
    switch (this.#serialization) {
      case 'avro':
        return avroCodec(schema)
      case 'json-schema':
        return jsonSchemaCodec(schema)
      case 'protobuf':
        return protobufCodec(schema, this.#subject.recordName)
      default:
        return this.#serialization satisfies never
    }
  }
}
