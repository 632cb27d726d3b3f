/**
 * JSON as text. The engine's variables are never parsed and written again as a whole, because `JSON.parse` loses
 * the digits of large integers and of numbers such as 100.0: members are cut out of the text as they stand.
 */

const PLAIN = /^[\w -]*$/
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/**
 * The members of a JSON object, each value as its own text. Of a repeated name the last one counts.
 * @throws SyntaxError when the text is not a JSON object; what is inside a member's value is not checked.
 */
export function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let at = skipBlanks(text, 0)
  if (text.charCodeAt(at) !== OPEN_BRACE) throw new SyntaxError('not a JSON object')
  at = skipBlanks(text, at + 1)
  if (text.charCodeAt(at) === CLOSE_BRACE) return endedAt(text, at, members)
  while (at < text.length) {
    const nameEnd = endOfString(text, at)
    const name: unknown = JSON.parse(text.slice(at, nameEnd))
    at = skipBlanks(text, nameEnd)
    if (typeof name !== 'string' || text.charCodeAt(at) !== COLON) break
    const start = skipBlanks(text, at + 1)
    const end = endOfValue(text, start)
    if (end === start) throw new SyntaxError(`no value at ${start}`)
    members.set(name, text.slice(start, end).trimEnd())
    if (text.charCodeAt(end) === CLOSE_BRACE) return endedAt(text, end, members)
    if (text.charCodeAt(end) !== COMMA) break
    at = skipBlanks(text, end + 1)
  }
  throw new SyntaxError('the JSON object has no end')
}

function endedAt<T>(text: string, brace: number, members: T): T {
  if (skipBlanks(text, brace + 1) < text.length) throw new SyntaxError('text follows the JSON object')
  return members
}

/** The JSON text of an object made of members that are JSON texts themselves. */
export function objectOf(members: Iterable<[string, string]>): string {
  let text = ''
  for (const [name, value] of members) text += `${text === '' ? '' : ','}${quoted(name)}:${value}`
  return `{${text}}`
}

/** JSON text of a name. Most are plain, which is seen sooner than written out. */
function quoted(name: string): string {
  return PLAIN.test(name) ? `"${name}"` : JSON.stringify(name)
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1
  return at
}

/** Index after the closing quote of the string that starts at `from`. */
function endOfString(text: string, from: number): number {
  if (text.charCodeAt(from) !== QUOTE) throw new SyntaxError(`no string at ${from}`)
  let at = text.indexOf('"', from + 1)
  while (at !== -1) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return at + 1
    at = text.indexOf('"', at + 1)
  }
  throw new SyntaxError('a string has no end')
}

/** Index of the comma or closing bracket that follows the value at `from`. */
function endOfValue(text: string, from: number): number {
  let depth = 0
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      if (depth === 0) return at
      depth -= 1
    } else if (code === COMMA && depth === 0) return at
    at += 1
  }
  throw new SyntaxError('a value has no end')
}
