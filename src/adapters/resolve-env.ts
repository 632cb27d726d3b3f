import { RelayError } from '../core/errors.js'

export interface EnvironmentVariable {
  name: string
  value: string
  secret: boolean
  description: string
  /** Kept by `bpmn-relay apply`. */
  managed: boolean
}

/** Looks a variable up; undefined when there is none of this name. */
export type EnvLookup = (name: string) => string | undefined

// An escaped formula; @env( with what follows up to the closing parenthesis, if there is one; the start of another
// formula, whose inside may again hold an @env(NAME).
const FORMULA = /@@([A-Za-z]\w*)\(|@env\(([^)]*)(\)?)|@([A-Za-z]\w*)\(/g

/**
 * Puts the values of `@env(NAME)` into a text, any number of them, anywhere, in one pass: a value that looks like
 * `@env(X)` stays as it is. `@@env(` stands for the literal text `@env(`.
 *
 * @param what names the text in errors, e.g. `address of adapter "orders"`.
 * @param strict refuses other `@word(` formulas: they belong into no address. Elsewhere, a password may hold anything.
 * @throws RelayError ENV_UNKNOWN naming the variable; SETTINGS_INVALID for a formula that is none.
 */
export function resolveEnv(text: string, lookup: EnvLookup, what: string, strict = false): string {
  if (!text.includes('@')) return text
  return text.replace(FORMULA, (whole: string, ...groups: (string | undefined)[]) => {
    const [escaped, argument, close, other] = groups
    // Where other formulas mean nothing, neither does their escape.
    if (escaped !== undefined) return strict || escaped === 'env' ? whole.slice(1) : whole
    if (other !== undefined) {
      if (!strict) return whole
      throw new RelayError(
        'SETTINGS_INVALID',
        `${what} has @${other}(…): only @env(NAME) is known; write @@${other}( where the text itself is meant`,
      )
    }
    const name = argument?.trim() ?? ''
    if (close !== ')' || name === '') {
      throw new RelayError(
        'SETTINGS_INVALID',
        `${what} has "${whole}": write @env(NAME) with the name of a variable`,
      )
    }
    const value = lookup(name)
    if (value === undefined) {
      throw new RelayError(
        'ENV_UNKNOWN',
        `${what} names the environment variable "${name}", which does not exist: set it with \`bpmn-relay env set ${name} VALUE\``,
      )
    }
    return value
  })
}

/** Names of the variables a text refers to. */
export function envNamesIn(text: string): string[] {
  const names: string[] = []
  for (const [, , argument] of text.matchAll(FORMULA)) if (argument !== undefined) names.push(argument.trim())
  return names
}

/** A copy of a JSON value with `change` applied to each string in it; `path` leads to the string. */
export function mapStrings(
  value: unknown,
  change: (text: string, path: string) => string,
  path = '',
): unknown {
  if (typeof value === 'string') return change(value, path)
  if (Array.isArray(value)) return value.map((item, index) => mapStrings(item, change, `${path}[${index}]`))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      mapStrings(item, change, path ? `${path}.${name}` : name),
    ]),
  )
}
