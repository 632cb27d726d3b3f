import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError } from '../../core/errors.js'
import { Loading } from './loading.js'
import type { SchemaRegistrySettings, SchemaType } from './settings.js'

/** A schema as the registry has it. */
export interface RegisteredSchema {
  id: number
  type: SchemaType
  text: string
  /** Schemas it builds on, what they build on first. */
  references: SchemaReference[]
}

export interface SchemaReference {
  /** What the schema calls it: an Avro name, an import of Protobuf, a `$ref`. */
  name: string
  text: string
}

/** How long "unknown" or "unreachable" is the answer for all before the registry is asked again. */
const FAILURE_MS = 1000
/** More levels than this are a circle. */
const MAX_REFERENCE_DEPTH = 20

const Id = Type.Object({ id: Type.Integer() })
const Reference = Type.Object({ name: Type.String(), subject: Type.String(), version: Type.Integer() })
const SchemaBody = Type.Object({
  schema: Type.String(),
  schemaType: Type.Optional(Type.Enum(['AVRO', 'JSON', 'PROTOBUF'])),
  references: Type.Optional(Type.Union([Type.Null(), Type.Array(Reference)])),
})

/**
 * A schema registry that speaks the API of Confluent's. All throw RelayError SCHEMA_UNKNOWN, SCHEMA_INVALID,
 * SCHEMA_REGISTRY_UNREACHABLE, AUTHENTICATION_FAILED or NOT_AUTHORIZED.
 */
export class SchemaRegistry {
  readonly #settings: SchemaRegistrySettings
  readonly #byId: Loading<number, RegisteredSchema>

  constructor(settings: SchemaRegistrySettings) {
    this.#settings = settings
    this.#byId = new Loading((id) => this.#schema(id, `/schemas/ids/${id}`, `schema ${id}`), {
      failureMs: FAILURE_MS,
    })
  }

  /** Kept for ever, as an id never comes to mean another schema. */
  byId(id: number): RegisteredSchema | Promise<RegisteredSchema> {
    return this.#byId.get(id)
  }

  /** Not kept here: the latest version changes. */
  async bySubject(subject: string, version: number | 'latest'): Promise<RegisteredSchema> {
    const what = `subject ${subject}, version ${version}`
    const answer = await this.#ask(`/subjects/${encodeURIComponent(subject)}/versions/${version}`, what)
    return this.#withReferences(this.#read(Id, answer, what).id, answer, what)
  }

  /** A schema text with the id its subject has for it; not kept. With `register` the subject is given it if need be. */
  async registered(
    subject: string,
    type: SchemaType,
    text: string,
    register: boolean,
  ): Promise<RegisteredSchema> {
    const path = `/subjects/${encodeURIComponent(subject)}${register ? '/versions' : ''}`
    const what = register
      ? `registering the schema of subject ${subject}`
      : `the schema of subject ${subject}`
    // Registries that know Avro alone do not know the member.
    const body = type === 'AVRO' ? { schema: text } : { schema: text, schemaType: type }
    const { id } = this.#read(Id, await this.#ask(path, what, body), what)
    return { id, type, text, references: [] }
  }

  async #schema(id: number, path: string, what: string): Promise<RegisteredSchema> {
    return this.#withReferences(id, await this.#ask(path, what), what)
  }

  async #withReferences(id: number, answer: unknown, what: string): Promise<RegisteredSchema> {
    const body = this.#read(SchemaBody, answer, what)
    const references: SchemaReference[] = []
    await this.#collect(body.references ?? [], references, 0)
    return { id, type: body.schemaType ?? 'AVRO', text: body.schema, references }
  }

  async #collect(
    wanted: { name: string; subject: string; version: number }[],
    found: SchemaReference[],
    depth: number,
  ): Promise<void> {
    for (const { name, subject, version } of wanted) {
      if (found.some((each) => each.name === name)) continue
      const what = `subject ${subject}, version ${version}, which another schema refers to`
      if (depth > MAX_REFERENCE_DEPTH)
        throw new RelayError('SCHEMA_INVALID', `${what}, refers to itself: correct its references`)
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
      const body = this.#read(SchemaBody, await this.#ask(path, what), what)
      await this.#collect(body.references ?? [], found, depth + 1)
      found.push({ name, text: body.schema })
    }
  }

  #read<const S extends TSchema>(schema: S, answer: unknown, what: string): Static<S> {
    if (Value.Check(schema, answer)) return answer
    throw new RelayError(
      'SCHEMA_REGISTRY_UNREACHABLE',
      `${this.#settings.url} gave no answer of a schema registry about ${what}: correct schemaRegistry.url`,
    )
  }

  async #ask(path: string, what: string, body?: object): Promise<unknown> {
    const { url, username, password, timeoutMs } = this.#settings
    const headers: Record<string, string> = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
    }
    if (body) headers['content-type'] = 'application/vnd.schemaregistry.v1+json'
    if (username !== undefined) {
      headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    }
    let response: Response
    let text: string
    try {
      response = await fetch(url.replace(/\/+$/, '') + path, {
        method: body ? 'POST' : 'GET',
        headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body && { body: JSON.stringify(body) }),
      })
      text = await response.text()
    } catch (cause) {
      throw new RelayError(
        'SCHEMA_REGISTRY_UNREACHABLE',
        `the schema registry ${url} did not answer about ${what}: ${reasonOf(cause, timeoutMs)}`,
        { cause },
      )
    }
    if (response.ok) return parsed(text)
    throw this.#refusal(response.status, text, what)
  }

  #refusal(status: number, text: string, what: string): RelayError {
    const answer = parsed(text)
    const reason =
      answer !== null && typeof answer === 'object' && 'message' in answer
        ? `: ${String(answer.message)}`
        : ''
    const said = `the schema registry ${this.#settings.url} answered ${status} about ${what}${reason.slice(0, 500)}`
    if (status === 401) {
      return new RelayError(
        'AUTHENTICATION_FAILED',
        `${said}: correct schemaRegistry.username and schemaRegistry.password`,
      )
    }
    if (status === 403) return new RelayError('NOT_AUTHORIZED', `${said}: let this user do it`)
    if (status === 404) {
      return new RelayError('SCHEMA_UNKNOWN', `${said}: register the schema, or correct subject and settings`)
    }
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
      return new RelayError('SCHEMA_INVALID', `${said}: correct the schema`)
    }
    return new RelayError('SCHEMA_REGISTRY_UNREACHABLE', said)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What `fetch` hides in its cause. */
function reasonOf(thrown: unknown, timeoutMs: number): string {
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`
  return messageOf(thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown)
}
