import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, RelayError } from '../../core/errors.js'
import { parseExact, stringifyExact } from '../../core/exact-json.js'
import { withTimeLimit } from '../../core/time-limit.js'
import { Loading } from './loading.js'
import {
  type Deserialized,
  DROPPED,
  fieldOf,
  type Serialized,
  type Serializer,
  type Side,
} from './serializer.js'
import { notDeserializable } from './values.js'

/** What a module is told besides the value; docs/serialization.md shows it in use. */
export interface CustomContext {
  side: Side
  topic: string
  /** Name of the adapter. */
  adapter: string
}

type CustomFunction = (value: unknown, context: CustomContext) => unknown

interface CustomModule {
  serialize: CustomFunction
  deserialize: CustomFunction
}

/** Longest time a module may take for one value. */
const TIME_LIMIT_MS = 5000
/** A module that could not be loaded is looked for again after this time. */
const FAILURE_MS = 1000

/** Serialization by a module of the operator's, from the one folder the worker allows. */
export class CustomSerializer implements Serializer {
  readonly #module: Loading<string, CustomModule>
  readonly #file: string
  readonly #field: string
  readonly #side: Side
  readonly #adapter: string

  constructor(side: Side, file: string, modulesFolder: string | undefined, adapter: string) {
    this.#side = side
    this.#field = fieldOf(side)
    this.#file = file
    this.#adapter = adapter
    const setting = `${side}Module ${JSON.stringify(file)} of adapter "${adapter}"`
    this.#module = new Loading((name) => loadModule(name, modulesFolder, setting), { failureMs: FAILURE_MS })
  }

  async serialize(json: string, topic: string): Promise<Serialized> {
    if (json === 'null') return null
    const { serialize } = await this.#module.get(this.#file)
    const made = await this.#call('serialize', serialize, parseExact(json), topic)
    if (made === null) return DROPPED
    if (typeof made === 'string' && made.isWellFormed()) return Buffer.from(made)
    if (made instanceof Uint8Array) return Buffer.from(made.buffer, made.byteOffset, made.byteLength)
    throw new RelayError(
      'VALUE_NOT_SERIALIZABLE',
      `${this.#field}: serialize of ${this.#file} returned ${kindOf(made)}: it must return a Uint8Array, a text, or null to drop the record`,
    )
  }

  async deserialize(bytes: Buffer | null, topic: string): Promise<Deserialized> {
    if (bytes === null) return 'null'
    const { deserialize } = await this.#module.get(this.#file)
    const made = await this.#call('deserialize', deserialize, bytes, topic)
    if (made === null) return DROPPED
    if (made !== undefined && typeof made !== 'function' && typeof made !== 'symbol') {
      return stringifyExact(made)
    }
    throw notDeserializable(
      this.#field,
      `cannot be used: deserialize of ${this.#file} returned ${kindOf(made)}: it must return a JSON value, or null to drop the record`,
    )
  }

  async #call(
    name: keyof CustomModule,
    call: CustomFunction,
    value: unknown,
    topic: string,
  ): Promise<unknown> {
    const context = { side: this.#side, topic, adapter: this.#adapter }
    try {
      return await withTimeLimit(
        Promise.resolve(call(value, context)),
        TIME_LIMIT_MS,
        () => new Error(`no result within ${TIME_LIMIT_MS} ms`),
      )
    } catch (cause) {
      const text = `${this.#field} was refused by ${name} of ${this.#file}: ${messageOf(cause)}`
      const code = name === 'serialize' ? 'VALUE_NOT_SERIALIZABLE' : 'VALUE_NOT_DESERIALIZABLE'
      throw new RelayError(code, text, { cause })
    }
  }
}

/**
 * An adapter is data, and whoever may write data must not thereby run any code: only what the operator of the worker
 * has put into one folder is loaded.
 */
async function loadModule(file: string, folder: string | undefined, setting: string): Promise<CustomModule> {
  if (folder === undefined) {
    throw new RelayError(
      'SETTINGS_INVALID',
      `${setting} cannot be loaded: set BPMN_RELAY_MODULES_FOLDER to the folder of the modules this worker may run`,
    )
  }
  const named = path.resolve(folder, file)
  let module: object
  try {
    const [allowed, real] = await Promise.all([realpath(folder), realpath(named)])
    if (!real.startsWith(allowed + path.sep)) {
      throw new Error(`it lies outside ${folder}, the folder BPMN_RELAY_MODULES_FOLDER allows`)
    }
    module = await import(pathToFileURL(real).href)
  } catch (cause) {
    throw new RelayError(
      'SETTINGS_INVALID',
      `${setting} cannot be loaded from ${named}: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
  return { serialize: functionOf(module, 'serialize'), deserialize: functionOf(module, 'deserialize') }

  function functionOf(exports: object, name: keyof CustomModule): CustomFunction {
    const found = new Map<string, unknown>(Object.entries(exports)).get(name)
    if (typeof found === 'function') return (value, context) => found(value, context)
    // A module for one direction need not know the other.
    return () => {
      throw new Error(`the module exports no function ${name}`)
    }
  }
}

function kindOf(value: unknown): string {
  return value === undefined ? 'nothing' : value instanceof Object ? value.constructor.name : typeof value
}
