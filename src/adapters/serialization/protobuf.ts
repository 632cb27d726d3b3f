import protobuf from 'protobufjs'
import { messageOf, RelayError } from '../../core/errors.js'
import { parseExact, stringifyExact } from '../../core/exact-json.js'
import { fromProtobuf, toProtobuf } from './protobuf-json.js'
import type { RegisteredSchema } from './schema-registry.js'
import { type Codec, notDeserializable, notSerializable } from './values.js'

/**
 * Protobuf's binary encoding, after the path of the message within its file, as Confluent's serializers write it.
 * JSON is Protobuf's own mapping, with 64-bit integers as numbers and well-known types by their fields.
 * @param messageName full name; default: the first message of the file.
 * @throws RelayError SCHEMA_INVALID
 */
export function protobufCodec(schema: RegisteredSchema, messageName?: string): Codec {
  const { messages, root } = compile(schema)
  const [first] = messages
  const written = messageName === undefined ? first : messages.find(({ name }) => name === messageName)
  if (!written) {
    throw new RelayError(
      'SCHEMA_INVALID',
      `schema ${schema.id} has no message ${messageName ?? 'at all'}: it has ${messages.map(({ name }) => name).join(', ')}`,
    )
  }
  const type = root.lookupType(written.name)
  const prefix = encodePath(written.path)
  return {
    encode(json, field) {
      const message = toProtobuf(type, parseExact(json), field)
      try {
        return Buffer.concat([prefix, type.encode(message).finish()])
      } catch (cause) {
        throw notSerializable(field, messageOf(cause), `a ${type.name} of schema ${schema.id}`)
      }
    },
    decode(bytes, field) {
      const reader = protobuf.Reader.create(bytes)
      try {
        const path = decodePath(reader)
        const found = messages.find((each) => each.path.join() === path.join())
        if (!found) throw new Error(`it has no message at ${path.join('.')}`)
        const read = root.lookupType(found.name)
        return stringifyExact(fromProtobuf(read, read.decode(reader)))
      } catch (cause) {
        throw notDeserializable(
          field,
          `does not hold what its Protobuf schema ${schema.id} says: ${messageOf(cause)}`,
          cause,
        )
      }
    },
  }
}

/** Full name of the first message of a schema text. @throws RelayError SCHEMA_INVALID */
export function protobufName(text: string): string {
  const [first] = messagesOf(parse(text, new protobuf.Root(), 'the schema'))
  if (first) return first.name
  throw new RelayError('SCHEMA_INVALID', 'the Protobuf schema has no message')
}

interface Message {
  /** Without a leading dot. */
  name: string
  /** Index of each enclosing message, and its own, among the messages beside it. */
  path: number[]
}

function compile({ id, text, references }: RegisteredSchema): { messages: Message[]; root: protobuf.Root } {
  const root = new protobuf.Root()
  const what = `schema ${id}`
  for (const reference of references) parse(reference.text, root, `${what}, its import ${reference.name}`)
  parse(text, root, what)
  try {
    root.resolveAll()
  } catch (cause) {
    throw new RelayError('SCHEMA_INVALID', `${what} cannot be used: ${messageOf(cause)}`, { cause })
  }
  // Alone, so that what it imports does not count.
  return { messages: messagesOf(parse(text, new protobuf.Root(), what)), root }
}

function parse(text: string, root: protobuf.Root, what: string): protobuf.IParserResult {
  try {
    const parsed = protobuf.parse(text, root, { keepCase: true })
    for (const imported of parsed.imports ?? []) {
      const wellKnown = protobuf.common.get(imported)
      if (wellKnown?.nested) root.addJSON(wellKnown.nested)
    }
    return parsed
  } catch (cause) {
    throw new RelayError('SCHEMA_INVALID', `${what} is no Protobuf schema: ${messageOf(cause)}`, { cause })
  }
}

function messagesOf(parsed: protobuf.IParserResult): Message[] {
  const space = parsed.package === undefined ? parsed.root : parsed.root.lookup(parsed.package)
  return space instanceof protobuf.Namespace ? messagesIn(space, []) : []
}

function messagesIn(space: protobuf.NamespaceBase, path: number[]): Message[] {
  return space.nestedArray
    .filter((each) => each instanceof protobuf.Type)
    .flatMap((type, index) => {
      const own = [...path, index]
      return [{ name: type.fullName.replace(/^\./, ''), path: own }, ...messagesIn(type, own)]
    })
}

/** Count and indexes as zigzag varints; the usual path, the first message, is a lone 0. */
function encodePath(path: number[]): Uint8Array {
  const writer = protobuf.Writer.create()
  if (path.length === 1 && path[0] === 0) return writer.sint32(0).finish()
  writer.sint32(path.length)
  for (const index of path) writer.sint32(index)
  return writer.finish()
}

function decodePath(reader: protobuf.Reader): number[] {
  const count = reader.sint32()
  if (count === 0) return [0]
  if (count < 0 || count > reader.len) throw new Error(`it has no message path of length ${count}`)
  return Array.from({ length: count }, () => reader.sint32())
}
