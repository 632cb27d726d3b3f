import { CustomSerializer } from './custom.js'
import { SchemaRegistry } from './schema-registry.js'
import { SchemaSerializer } from './schema-serializer.js'
import { fieldOf, type Serialization, type Serializer, type Serializers, type Side } from './serializer.js'
import { parseSerializationSettings, type SideSettings } from './settings.js'
import { SIMPLE, type SimpleSerialization } from './simple.js'

export interface SerializersOptions {
  /** Name of the adapter, for messages to people. */
  adapter: string
  serializations: Readonly<Record<Side, Serialization>>
  /** With every `@env(...)` resolved. */
  settings: Record<string, unknown>
  /** Where modules of serialization `custom` may lie; undefined: nowhere. */
  modulesFolder: string | undefined
}

/**
 * Both sides of an adapter, with one schema registry between them. Nothing is connected or loaded before it is used.
 * @throws RelayError SETTINGS_INVALID
 */
export function createSerializers(options: SerializersOptions): Serializers {
  const { adapter, modulesFolder } = options
  const sides = parseSerializationSettings(options.settings, options.serializations)
  let shared: SchemaRegistry | undefined

  function serializer(side: Side, settings: SideSettings): Serializer {
    if ('registry' in settings) {
      const { serialization, registry } = settings
      shared ??= new SchemaRegistry(registry)
      return new SchemaSerializer(serialization, side, registry, shared)
    }
    if ('module' in settings) return new CustomSerializer(side, settings.module, modulesFolder, adapter)
    return simpleSerializer(side, settings.serialization)
  }
  return { key: serializer('key', sides.key), value: serializer('value', sides.value) }
}

function simpleSerializer(side: Side, serialization: SimpleSerialization): Serializer {
  const codec = SIMPLE[serialization]
  const field = fieldOf(side)
  return {
    serialize: (json) => (json === 'null' ? null : codec.encode(json, field)),
    deserialize: (bytes) => (bytes === null ? 'null' : codec.decode(bytes, field)),
  }
}
