import { InvalidArgumentError } from 'commander'
import type { HeaderValue } from '../brokers/broker.js'
import type { ConsumedMessage } from '../brokers/operator.js'

/** Bytes of a message as they are printed. */
export type MessageFormat = (message: ConsumedMessage) => Buffer

const NEW_LINE = Buffer.from('\n')

/**
 * `value`, `json`, or a text with the tokens of kcat: %t topic, %p partition, %o offset, %T timestamp, %k key,
 * %K its length, %s value, %S its length, %h headers, %% percent; and \n, \r, \t.
 * @throws InvalidArgumentError
 */
export function parseMessageFormat(text: string): MessageFormat {
  if (text === 'value') return ({ value }) => Buffer.concat([value ?? Buffer.from('null'), NEW_LINE])
  if (text === 'json') return (message) => Buffer.from(`${JSON.stringify(jsonOf(message))}\n`)
  if (!text.includes('%')) {
    throw new InvalidArgumentError("Give value, json, or a text with tokens such as '%p %o %k: %s\\n'.")
  }
  const parts = (text.match(/%.?|\\.?|[^%\\]+/gs) ?? []).map(partOf)
  return (message) => Buffer.concat(parts.map((part) => (typeof part === 'function' ? part(message) : part)))
}

function partOf(token: string): Buffer | MessageFormat {
  const text = (get: (message: ConsumedMessage) => string): MessageFormat => {
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
      return ({ key }) => key ?? Buffer.alloc(0)
    case '%K':
      return text(({ key }) => String(key?.length ?? -1))
    case '%s':
      return ({ value }) => value ?? Buffer.alloc(0)
    case '%S':
      return text(({ value }) => String(value?.length ?? -1))
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

function jsonOf({ key, value, headers, ...place }: ConsumedMessage): Record<string, unknown> {
  const shownHeaders = Object.entries(headers).map(([name, header]) => [
    name,
    Array.isArray(header) ? header.map(shown) : shown(header),
  ])
  return { ...place, key: shown(key), headers: Object.fromEntries(shownHeaders), value: shown(value) }
}

/** Text where the bytes are text, else as tasks give bytes: `{"base64": "…"}`. */
export function shown(bytes: Buffer | string | null): unknown {
  if (bytes === null || typeof bytes === 'string') return bytes
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : { base64: bytes.toString('base64') }
}
