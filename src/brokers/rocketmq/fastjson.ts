/**
 * Parses what RocketMQ's servers write as JSON: names may be numbers, or whole objects, without quotation marks. Of an
 * object as a name the JSON text is the name. Integers that a double would round stay text.
 * @throws SyntaxError
 */
export function parseFastjson(text: string): unknown {
  const parser = new Parser(text)
  const value = parser.value()
  parser.expectEnd()
  return value
}

const STRING = /"(?:[^"\\]|\\.)*"/suy
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const BLANKS = /\s*/y

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): unknown {
    if (this.#skipped('{')) return this.#object()
    if (this.#skipped('[')) return this.#array()
    const string = this.#match(STRING)
    if (string !== undefined) return JSON.parse(string)
    const number = this.#match(NUMBER)
    if (number !== undefined) return numberOrDigits(number)
    const word = this.#match(WORD)
    if (word !== undefined) return JSON.parse(word)
    throw this.#unexpected()
  }

  expectEnd(): void {
    this.#match(BLANKS)
    if (this.#at < this.#text.length) throw this.#unexpected()
  }

  #object(): Record<string, unknown> {
    const members: [string, unknown][] = []
    while (!this.#skipped('}')) {
      if (members.length > 0) this.#expect(',')
      const name = this.value()
      this.#expect(':')
      members.push([typeof name === 'string' ? name : JSON.stringify(name), this.value()])
    }
    return Object.fromEntries(members)
  }

  #array(): unknown[] {
    const items: unknown[] = []
    while (!this.#skipped(']')) {
      if (items.length > 0) this.#expect(',')
      items.push(this.value())
    }
    return items
  }

  #skipped(character: string): boolean {
    this.#match(BLANKS)
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #expect(character: string): void {
    if (!this.#skipped(character)) throw this.#unexpected()
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #unexpected(): SyntaxError {
    return new SyntaxError(
      `no JSON at ${this.#at}: ${JSON.stringify(this.#text.slice(this.#at, this.#at + 40))}`,
    )
  }
}

function numberOrDigits(digits: string): number | string {
  const number = Number(digits)
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(digits) ? number : digits
}
