import { Ajv } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { messageOf, RelayError } from '../../core/errors.js'
import type { RegisteredSchema } from './schema-registry.js'
import { jsonText } from './simple.js'
import type { Codec } from './values.js'

/**
 * JSON text, checked against a JSON Schema of draft 6, 7, 2019-09 or 2020-12 before it is sent. What is read has been
 * checked by its sender.
 * @throws RelayError SCHEMA_INVALID
 */
export function jsonSchemaCodec(schema: RegisteredSchema): Codec {
  const { ajv, validate } = compile(schema)
  return {
    encode(json, field) {
      if (!validate(JSON.parse(json))) {
        throw new RelayError(
          'VALUE_NOT_SERIALIZABLE',
          `${ajv.errorsText(validate.errors, { dataVar: field })}, says its JSON schema ${schema.id}`,
        )
      }
      return Buffer.from(json)
    },
    decode: jsonText,
  }
}

/** The title of a schema text. @throws RelayError SCHEMA_INVALID */
export function jsonSchemaName(text: string): string {
  const schema = parse(text, 'the schema')
  if (typeof schema === 'object' && 'title' in schema && typeof schema.title === 'string') return schema.title
  throw new RelayError(
    'SCHEMA_INVALID',
    'the JSON schema has no title to name its subject by: give it one, or set recordName',
  )
}

function compile({ id, text, references }: RegisteredSchema) {
  const what = `schema ${id}`
  const schema = parse(text, what)
  const ajv = ajvFor(schema)
  addFormats.default(ajv)
  try {
    for (const reference of references) ajv.addSchema(parse(reference.text, reference.name), reference.name)
    return { ajv, validate: ajv.compile(schema) }
  } catch (cause) {
    throw new RelayError(
      'SCHEMA_INVALID',
      `${what} is no JSON schema that can be used: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}

function ajvFor(schema: object | boolean): Ajv {
  const draft = typeof schema === 'object' && '$schema' in schema ? String(schema.$schema) : ''
  // Schemas carry words of their own, such as connect.index: they are no mistakes.
  const options = { strict: false, allErrors: true, validateSchema: !/draft-0[46]/.test(draft) }
  if (draft.includes('2020-12')) return new Ajv2020(options)
  if (draft.includes('2019-09')) return new Ajv2019(options)
  return new Ajv(options)
}

function parse(text: string, what: string): object | boolean {
  try {
    const schema: unknown = JSON.parse(text)
    if (typeof schema === 'boolean' || (schema !== null && typeof schema === 'object')) return schema
    throw new Error('it is neither an object nor true or false')
  } catch (cause) {
    throw new RelayError('SCHEMA_INVALID', `${what} is no JSON schema: ${messageOf(cause)}`, { cause })
  }
}
