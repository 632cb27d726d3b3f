import { hash } from 'node:crypto'
import type { DeliverySemantic, HeaderValue, MessageInput } from '../brokers/broker.js'
import type { RegisteredDriver } from '../brokers/registry.js'
import { decodeBase64 } from '../core/base64.js'
import { ERRORS, RelayError } from '../core/errors.js'
import { membersOf, objectOf } from '../core/json.js'
import { isRequestId } from '../core/request-id.js'
import { parseDuration } from '../core/time-text.js'
import type { Job } from '../engine/engine.js'

/** A task's inputs, parsed. `message` and `key` stay JSON text: their digits are the engine's. */
export interface JobInput {
  adapterId: string
  topic: string
  /** JSON text of the value. */
  message: string
  /** JSON text; undefined: no key. */
  key: string | undefined
  keys: string[] | undefined
  tag: string | undefined
  headers: Record<string, HeaderValue>
  partition: number | undefined
  timestamp: number | undefined
  deliverySemantic: DeliverySemantic | undefined
  delayLevel: number | undefined
  deliverAt: number | undefined
  messageGroup: string | undefined
  producerGroup: string | undefined
  traceparent: string | undefined
}

const COMMON_INPUTS = ['adapterId', 'topic', 'message', 'requestId', 'traceparent'] as const
const DEFAULT_RETRY_BACK_OFF_MS = 30_000

/** Reads one input after another from a job's variables, or from task headers of the same name. */
export class InputReader {
  readonly #job: Job
  #members: Map<string, string> | undefined

  constructor(job: Job) {
    this.#job = job
  }

  /** All variables of the task, name → JSON text. @throws RelayError INPUT_INVALID */
  get variables(): Map<string, string> {
    try {
      this.#members ??= membersOf(this.#job.variables)
      return this.#members
    } catch (cause) {
      throw new RelayError('INPUT_INVALID', 'the variables of the job are no JSON object', { cause })
    }
  }

  /** JSON text of an input, `null` included; undefined when neither variable nor header has it. */
  raw(name: string): string | undefined {
    const variable = this.variables.get(name)
    if (variable !== undefined) return variable
    const header = this.#job.headers[name]
    return header === undefined ? undefined : JSON.stringify(header)
  }

  /** Like `raw`, for records: undefined also where the variables cannot be read at all. */
  peek(name: string): string | undefined {
    try {
      return this.raw(name)
    } catch {
      return undefined
    }
  }

  /** Parsed value of an optional input; null and the empty text count as absent. */
  optional(name: string): unknown {
    const raw = this.raw(name)
    if (raw === undefined || raw === 'null' || raw === '""') return undefined
    return JSON.parse(raw)
  }

  optionalText(name: string): string | undefined {
    const value = this.optional(name)
    if (value === undefined || typeof value === 'string') return value
    throw wrong(name, value, 'a text')
  }

  text(name: string): string {
    const value = this.optionalText(name)
    if (value !== undefined) return value
    throw new RelayError(
      'INPUT_INVALID',
      `${name} is missing: give it as an input of the task or as a task header`,
    )
  }

  /** A whole number, or its decimal text. */
  optionalInteger(name: string, min: number, max: number): number | undefined {
    const value = this.optional(name)
    if (value === undefined) return undefined
    const number = typeof value === 'string' && /^-?\d+$/.test(value.trim()) ? Number(value) : value
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= min && number <= max)
      return number
    throw wrong(name, value, `a whole number from ${min} to ${max}`)
  }

  /** A point in time: milliseconds since 1970, or ISO-8601 text with a time zone. */
  optionalTime(name: string): number | undefined {
    const value = this.optional(name)
    const time = typeof value === 'string' ? parseTime(value) : undefined
    if (time !== undefined && time >= 0) return time
    try {
      return this.optionalInteger(name, 0, Number.MAX_SAFE_INTEGER)
    } catch {
      throw wrong(name, value, 'milliseconds since 1970 or a time such as 2026-01-31T12:00:00Z')
    }
  }

  /** One text or a list of texts. */
  optionalTexts(name: string): string[] | undefined {
    const value = this.optional(name)
    if (value === undefined) return undefined
    const list: unknown[] = Array.isArray(value) ? value : [value]
    const texts = list.map((item) => {
      if (typeof item === 'string') return item
      if (typeof item === 'number' && Number.isSafeInteger(item)) return String(item)
      throw wrong(name, value, 'a text or a list of texts')
    })
    return texts.length > 0 ? texts : undefined
  }

  /** An object, or its JSON text, of texts, lists of texts and `{base64}`. */
  headers(name: string): Record<string, HeaderValue> {
    const given = this.optional(name)
    if (given === undefined) return {}
    const value = typeof given === 'string' ? parseJson(given) : given
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw wrong(name, given, 'an object, or the JSON text of one')
    }
    return Object.fromEntries(
      Object.entries(value).map(([header, item]): [string, HeaderValue] => [
        header,
        Array.isArray(item)
          ? item.map((part) => headerPart(`${name}.${header}`, part))
          : headerPart(`${name}.${header}`, item),
      ]),
    )
  }
}

/** The request id the task gives. @throws RelayError INPUT_INVALID */
export function requestIdOf(reader: InputReader): string | undefined {
  const given = reader.optionalText('requestId')
  if (given === undefined || isRequestId(given)) return given
  throw wrong('requestId', given, '1 to 200 visible ASCII characters without blanks')
}

/**
 * Request ids of an engine's jobs: the same on every redelivery. UUIDs of version 8, the job key first: the ids of new jobs are
 * neighbours in the index of the audit log, where ids in no order would each touch a page of their own.
 */
export function defaultRequestIds(engineName: string): (job: Job) => string {
  const engine = hash('sha1', engineName)
  const end = `${engine.slice(0, 2)}-${engine.slice(2, 14)}`
  return ({ key }) => {
    const digits = BigInt.asUintN(64, BigInt(key)).toString(16).padStart(16, '0')
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(12, 15)}-8${digits.slice(15)}${end}`
  }
}

/** @throws RelayError INPUT_INVALID naming the input, its value and what would be right. */
export function parseJobInput(reader: InputReader, driver: RegisteredDriver): JobInput {
  const has = (input: MessageInput): boolean => driver.inputs.includes(input)
  return {
    adapterId: reader.text('adapterId'),
    topic: reader.text('topic'),
    message: messageText(reader, driver),
    key: has('key') ? keyText(reader) : undefined,
    keys: has('keys') ? reader.optionalTexts('keys') : undefined,
    tag: has('tag') ? reader.optionalText('tag') : undefined,
    headers: has('headers')
      ? reader.headers('headers')
      : has('properties')
        ? reader.headers('properties')
        : {},
    partition: has('partition') ? reader.optionalInteger('partition', 0, 2 ** 31 - 1) : undefined,
    timestamp: has('timestamp') ? reader.optionalTime('timestamp') : undefined,
    deliverySemantic: has('deliverySemantic') ? deliverySemanticOf(reader) : undefined,
    delayLevel: has('delayLevel') ? reader.optionalInteger('delayLevel', 1, 18) : undefined,
    deliverAt: has('deliverAt') ? reader.optionalTime('deliverAt') : undefined,
    messageGroup: has('messageGroup') ? reader.optionalText('messageGroup') : undefined,
    producerGroup: has('producerGroup') ? reader.optionalText('producerGroup') : undefined,
    traceparent: reader.optionalText('traceparent'),
  }
}

/** Task header `retryBackoff`, milliseconds. @throws RelayError INPUT_INVALID */
export function retryBackOffOf(job: Job): number {
  const given = job.headers.retryBackoff
  if (given === undefined || given === '') return DEFAULT_RETRY_BACK_OFF_MS
  const duration = parseDuration(given)
  if (duration !== undefined) return duration
  throw wrong('retryBackoff', given, 'an ISO-8601 duration such as PT30S')
}

function deliverySemanticOf(reader: InputReader): DeliverySemantic | undefined {
  const value = reader.optional('deliverySemantic')
  if (value === undefined || value === 'none' || value === 'at-least-once') return value
  const notYet = value === 'exactly-once' ? '; exactly-once is not available yet' : ''
  throw wrong('deliverySemantic', value, `at-least-once or none${notYet}`)
}

/** Without `message` the task's other variables are the message, the same at every try. */
function messageText(reader: InputReader, driver: RegisteredDriver): string {
  const given = reader.raw('message')
  if (given === 'null' && !driver.acceptsNull) {
    throw new RelayError(
      'INPUT_INVALID',
      `message is null, but ${driver.kind} has no messages without a value: give it one`,
    )
  }
  if (given !== undefined) return given
  const inputs = new Set<string>([...COMMON_INPUTS, ...driver.inputs])
  return objectOf(
    [...reader.variables].filter(
      ([name, value]) => !inputs.has(name) && !(name === 'error' && isErrorOfEarlierTry(value)),
    ),
  )
}

/** Whether a variable is the one in which an earlier try of the job left its error; see outcome.ts. */
function isErrorOfEarlierTry(json: string): boolean {
  const value = parseJson(json)
  return (
    value !== null &&
    typeof value === 'object' &&
    'code' in value &&
    Object.hasOwn(ERRORS, String(value.code)) &&
    'description' in value &&
    'retryable' in value &&
    'requestId' in value
  )
}

function keyText(reader: InputReader): string | undefined {
  const raw = reader.raw('key')
  return raw === 'null' || raw === '""' ? undefined : raw
}

function headerPart(name: string, part: unknown): string | Buffer {
  if (typeof part === 'string') return part
  if (part !== null && typeof part === 'object' && 'base64' in part && typeof part.base64 === 'string') {
    const bytes = decodeBase64(part.base64)
    if (bytes) return bytes
  }
  throw wrong(name, part, 'a text, a list of texts, or {"base64": "…"}')
}

/** Milliseconds since 1970 of an ISO-8601 time with a time zone; undefined when it is none. */
function parseTime(text: string): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T.*(?:Z|[+-]\d\d:?\d\d)(?:\[.*\])?$/.exec(text)
  if (!parts) return undefined
  // Date.parse would take the 30th of February for the 2nd of March.
  const [year, month, day] = parts.slice(1).map(Number)
  if (new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() !== day) return undefined
  // FEEL writes `2026-01-01T00:00:00Z[UTC]`.
  const time = Date.parse(text.replace(/\[.*\]$/, ''))
  return Number.isFinite(time) ? time : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function wrong(field: string, value: unknown, right: string): RelayError {
  const shown = JSON.stringify(value)
  const short = shown !== undefined && shown.length > 100 ? `${shown.slice(0, 100)}…` : shown
  return new RelayError('INPUT_INVALID', `${field} is ${short}: it must be ${right}`)
}
