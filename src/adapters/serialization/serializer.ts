/** How values become bytes and bytes become values; docs/serialization.md has the table. */
export const SERIALIZATIONS = [
  'string',
  'json',
  'bytes',
  'short',
  'integer',
  'long',
  'float',
  'double',
  'uuid',
  'boolean',
  'avro',
  'json-schema',
  'protobuf',
  'custom',
] as const
export type Serialization = (typeof SERIALIZATIONS)[number]

/** The record's key or its value. */
export type Side = 'key' | 'value'

/** What an adapter's module answers to keep a record from being sent or handled. */
export const DROPPED = Symbol('dropped')
export type Dropped = typeof DROPPED

/** Serialization of one side of the records of one adapter. Made once, for all its calls. */
export interface Serializer {
  /**
   * Bytes of a value that is given as JSON text, so that numbers keep the digits the engine gave them. JSON null is
   * null with every serialization: a tombstone, or no key. A promise is returned only where something has to be
   * looked up first, or by a module of the operator's.
   * @throws RelayError VALUE_NOT_SERIALIZABLE, SETTINGS_INVALID and those of the schema registry
   */
  serialize(json: string, topic: string): Serialized | Promise<Serialized>
  /**
   * JSON text of what `bytes` hold; `null` for no bytes.
   * @throws RelayError VALUE_NOT_DESERIALIZABLE, SETTINGS_INVALID and those of the schema registry
   */
  deserialize(bytes: Buffer | null, topic: string): Deserialized | Promise<Deserialized>
}

export type Serialized = Buffer | null | Dropped
export type Deserialized = string | Dropped

/** Both sides of an adapter. */
export type Serializers = Readonly<Record<Side, Serializer>>

/** What people call a side: the name of the task input it comes from. */
export function fieldOf(side: Side): string {
  return side === 'key' ? 'key' : 'message'
}
