import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { RelayError } from '../../core/errors.js'
import type { Serialization, Side } from './serializer.js'
import type { SimpleSerialization } from './simple.js'

const schemaOf = (side: Side, title: string) =>
  Type.Optional(
    Type.Object(
      {
        schemaId: Type.Optional(
          Type.Integer({
            title: `Schema id of the ${side}`,
            description: 'Always this schema. Leave out to take it from the subject.',
            minimum: 0,
            maximum: 2 ** 31 - 1,
          }),
        ),
        version: Type.Optional(
          Type.Integer({
            title: `Schema version of the ${side}`,
            description: 'Version of the subject. Default: the latest, looked up again every 5 minutes.',
            minimum: 1,
          }),
        ),
        schema: Type.Optional(
          Type.String({
            title: `Schema of the ${side}`,
            description: 'Text of the schema, which the subject must have or is given.',
            minLength: 1,
          }),
        ),
        register: Type.Boolean({
          title: `Register the schema of the ${side}`,
          description: 'Give the schema text to the subject when it does not have it yet.',
          default: false,
        }),
        recordName: Type.Optional(
          Type.String({
            title: `Record name of the ${side}`,
            description:
              'Full name of the record, for subjects that are named by it. Protobuf: the message to use. Default: the first in the schema text.',
            minLength: 1,
          }),
        ),
      },
      { title, additionalProperties: false },
    ),
  )

const moduleOf = (side: Side) =>
  Type.Optional(
    Type.String({
      title: `Module for the ${side}`,
      description: 'For serialization custom: path of an ES module in the folder BPMN_RELAY_MODULES_FOLDER.',
      minLength: 1,
    }),
  )

const schemaRegistrySchema = Type.Object(
  {
    url: Type.String({
      title: 'Schema registry',
      description:
        "Address of a registry that speaks the API of Confluent's: http or https, with its path if it has one.",
      minLength: 1,
    }),
    username: Type.Optional(Type.String({ title: 'User name', description: 'For basic authentication.' })),
    password: Type.Optional(
      Type.String({ title: 'Password', description: 'For basic authentication.', secret: true }),
    ),
    timeoutMs: Type.Integer({
      title: 'Registry timeout (ms)',
      description: 'Longest time to wait for one answer of the registry, in milliseconds.',
      default: 5000,
      minimum: 100,
      maximum: 60_000,
    }),
    subjectStrategy: Type.Enum(['topic', 'record', 'topic-record'], {
      title: 'Subject naming',
      description:
        'topic: TOPIC-key and TOPIC-value. record: the name of the record. topic-record: TOPIC-RECORD.',
      default: 'topic',
    }),
    key: schemaOf('key', 'Schema of keys'),
    value: schemaOf('value', 'Schema of values'),
  },
  { title: 'Schema registry', additionalProperties: false },
)

/** Settings every kind of adapter has besides its broker's own. */
export const serializationSettingsSchema = Type.Object(
  {
    schemaRegistry: Type.Optional(schemaRegistrySchema),
    keyModule: moduleOf('key'),
    valueModule: moduleOf('value'),
  },
  { additionalProperties: false },
)

type SerializationSettings = Static<typeof serializationSettingsSchema>
export type SchemaRegistrySettings = Static<typeof schemaRegistrySchema>
export type SubjectSettings = NonNullable<SchemaRegistrySettings['value']>

/** Serializations whose bytes begin with the id of a schema, and the registry's name for that kind of schema. */
export const SCHEMA_TYPES = { avro: 'AVRO', 'json-schema': 'JSON', protobuf: 'PROTOBUF' } as const
export type SchemaSerialization = keyof typeof SCHEMA_TYPES
export type SchemaType = (typeof SCHEMA_TYPES)[SchemaSerialization]

function usesSchema(serialization: Serialization): serialization is SchemaSerialization {
  return Object.hasOwn(SCHEMA_TYPES, serialization)
}

/** What one side of an adapter needs for its work. */
export type SideSettings =
  | { serialization: SimpleSerialization }
  | { serialization: SchemaSerialization; registry: SchemaRegistrySettings }
  | { serialization: 'custom'; module: string }

/**
 * Checks settings and serializations together and fills in defaults.
 * @throws RelayError SETTINGS_INVALID naming the setting, its value and the cure.
 */
export function parseSerializationSettings(
  given: Record<string, unknown>,
  serializations: Readonly<Record<Side, Serialization>>,
): Record<Side, SideSettings> {
  const schema = serializationSettingsSchema
  const settings = Value.Default(schema, Value.Convert(schema, Value.Clone(given)))
  if (!Value.Check(schema, settings)) throw violation(settings)
  if (settings.schemaRegistry) checkRegistry(settings.schemaRegistry, Object.values(serializations))
  return {
    key: sideSettings('key', serializations.key, settings),
    value: sideSettings('value', serializations.value, settings),
  }
}

function sideSettings(
  side: Side,
  serialization: Serialization,
  settings: SerializationSettings,
): SideSettings {
  const module = settings[`${side}Module`]
  if (serialization === 'custom') {
    if (module !== undefined) return { serialization, module }
    throw invalid(`the ${side}'s serialization is custom, but ${side}Module is not set: name its module`)
  }
  if (module !== undefined) {
    throw invalid(
      `${side}Module is set, but the ${side}'s serialization is ${serialization}: make it custom or remove the module`,
    )
  }
  const registry = settings.schemaRegistry
  if (usesSchema(serialization)) {
    if (registry === undefined) {
      throw invalid(`the ${side}'s serialization is ${serialization}, but schemaRegistry.url is not set`)
    }
    checkSubject(`schemaRegistry.${side}`, registry[side], registry.subjectStrategy)
    return { serialization, registry }
  }
  if (registry?.[side] !== undefined) {
    throw invalid(
      `schemaRegistry.${side} is set, but the ${side}'s serialization is ${serialization}: make it avro, json-schema or protobuf, or remove the setting`,
    )
  }
  return { serialization }
}

function checkSubject(
  path: string,
  subject: SubjectSettings | undefined,
  strategy: SchemaRegistrySettings['subjectStrategy'],
): void {
  const chosen = (['schemaId', 'version', 'schema'] as const).filter((way) => subject?.[way] !== undefined)
  if (chosen.length > 1) {
    throw invalid(
      `${path}.${chosen[0]} and ${path}.${chosen[1]} are both set: the schema is chosen in one way only`,
    )
  }
  if (subject?.register && subject.schema === undefined) {
    throw invalid(`${path}.register is true, but ${path}.schema is not set: give the schema to register`)
  }
  const isNamed = subject?.recordName ?? subject?.schema ?? subject?.schemaId
  if (strategy !== 'topic' && isNamed === undefined) {
    throw invalid(
      `schemaRegistry.subjectStrategy is ${strategy}, but nothing names the record: set ${path}.recordName or ${path}.schema`,
    )
  }
}

function checkRegistry(registry: SchemaRegistrySettings, serializations: Serialization[]): void {
  if (!serializations.some(usesSchema)) {
    throw invalid(
      'schemaRegistry is set, but neither key nor value is avro, json-schema or protobuf: remove it or change a serialization',
    )
  }
  const url = URL.canParse(registry.url) ? new URL(registry.url) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw invalid('schemaRegistry.url is no address: write it as http://host:port or https://host:port/path')
  }
  if (url.username || url.password) {
    throw invalid(
      'schemaRegistry.url holds a user: use schemaRegistry.username and schemaRegistry.password, which is kept secret',
    )
  }
  if ((registry.username === undefined) !== (registry.password === undefined)) {
    throw invalid('schemaRegistry.username and schemaRegistry.password go together: set both or neither')
  }
}

// Values are not shown: one may be a secret in the wrong place.
function violation(settings: unknown): RelayError {
  const [error] = Value.Errors(serializationSettingsSchema, settings)
  const field = error?.instancePath.slice(1).replaceAll('/', '.') || 'schemaRegistry'
  if (error?.keyword === 'boolean') return invalid(`${field} is not a setting: remove it or correct its name`)
  const params = JSON.stringify(error?.params ?? {})
  return invalid(`${field} ${error?.message ?? 'is wrong'}${params === '{}' ? '' : `: ${params}`}`)
}

function invalid(message: string): RelayError {
  return new RelayError('SETTINGS_INVALID', message)
}
