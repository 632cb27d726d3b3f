import { InvalidArgumentError } from 'commander'
import type { HeaderValue } from '../brokers/broker.js'
import { textOrBase64 } from '../core/base64.js'
import { objectOf } from '../core/json.js'
import type { ShownMessage } from './shown-message.js'

/** Bytes of a message as they are printed. */
export type MessageFormat = (message: ShownMessage) => Buffer

const NEW_LINE = Buffer.from('\n')
const NOTHING = Buffer.alloc(0)

/**
 * `value`, `json`, or a text with the tokens of kcat: %t topic, %p partition, %o offset, %T timestamp, %k key,
 * %K its length in bytes, %s value, %S its length, %h headers, %% percent; and \n, \r, \t.
 * @throws InvalidArgumentError
 */
export function parseMessageFormat(text: string): MessageFormat {
  if (text === 'value') return ({ value }) => Buffer.concat([value?.text ?? Buffer.from('null'), NEW_LINE])
  if (text === 'json') return (message) => Buffer.from(`${jsonOf(message)}\n`)
  if (!text.includes('%')) {
    throw new InvalidArgumentError("Give value, json, or a text with tokens such as '%p %o %k: %s\\n'.")
  }
  const parts = (text.match(/%.?|\\.?|[^%\\]+/gs) ?? []).map(partOf)
  return (message) => Buffer.concat(parts.map((part) => (typeof part === 'function' ? part(message) : part)))
}

function partOf(token: string): Buffer | MessageFormat {
  const text = (get: (message: ShownMessage) => string): MessageFormat => {
    return (message) => Buffer.from(get(message))
  }
  switch (token) {
    case '%t':
      return text(({ topic }) => topic)
    case '%p':
      return text(({ partition }) => String(partition))
    case '%o':
      return text(({ offset }) => offset)
    case '%T':
      return text(({ timestamp }) => String(timestamp))
    case '%k':
      return ({ key }) => key?.text ?? NOTHING
    case '%K':
      return text(({ key }) => String(key?.size ?? -1))
    case '%s':
      return ({ value }) => value?.text ?? NOTHING
    case '%S':
      return text(({ value }) => String(value?.size ?? -1))
    case '%h':
      return text(({ headers }) => headerTexts(headers).join(','))
    case '%%':
      return Buffer.from('%')
    case '\\n':
      return NEW_LINE
    case '\\r':
      return Buffer.from('\r')
    case '\\t':
      return Buffer.from('\t')
    default:
      if (!token.startsWith('%')) return Buffer.from(token)
      throw new InvalidArgumentError(`There is no token ${token}: use %t %p %o %T %k %K %s %S %h or %%.`)
  }
}

function headerTexts(headers: Record<string, HeaderValue>): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}=${each.toString()}`),
  )
}

function jsonOf({ key, value, headers, problem, skipped, ...place }: ShownMessage): string {
  const shownHeaders = Object.entries(headers).map(([name, header]) => [
    name,
    Array.isArray(header) ? header.map(shown) : shown(header),
  ])
  const members = Object.entries({
    ...place,
    headers: Object.fromEntries(shownHeaders),
    error: problem,
    skipped,
  })
    .filter(([, member]) => member !== undefined)
    .map(([name, member]): [string, string] => [name, JSON.stringify(member)])
  return objectOf([...members, ['key', key?.json ?? 'null'], ['value', value?.json ?? 'null']])
}

function shown(header: Buffer | string): unknown {
  return typeof header === 'string' ? header : textOrBase64(header)
}
