import {
  evaluate,
  FeelDate,
  FeelDateTime,
  FeelDuration,
  FeelFunction,
  FeelTime,
  parseExpression,
  type WarningType,
} from 'feelin'
import { messageOf, RelayError } from './errors.js'

/** A FEEL expression that is well formed and calls only functions there are. */
export interface FeelExpression {
  /**
   * An unknown variable is null. Numbers are doubles: whole ones beyond 2^53 are rounded.
   * @throws RelayError EXPRESSION_INVALID for a wrong call, and for a value that JSON does not have.
   */
  evaluate(variables: Record<string, unknown>): Evaluation
}

export interface Evaluation {
  /** JSON. Dates, times and durations are ISO-8601 text. */
  value: unknown
  /** The error for a value that its receiver cannot use; points at what may have gone wrong on the way to it. */
  wrong(reason: string): RelayError
}

/** Functions beyond FEEL's own, by name: their parameters, and what makes the result of them. */
export type FeelFunctions = Record<string, { parameters: string[]; call: (...values: unknown[]) => unknown }>

/** Camunda's functions against missing values, which the library lacks. */
const NULL_FUNCTIONS: FeelFunctions = {
  'get or else': { parameters: ['value', 'default'], call: (value, otherwise) => value ?? otherwise },
  'is defined': { parameters: ['value'], call: (value) => value !== null && value !== undefined },
}

/** What the library answers with null although the expression itself is wrong. Anything else null means is FEEL's. */
const WRONG: ReadonlySet<WarningType> = new Set([
  'NO_FUNCTION_FOUND',
  'FUNCTION_INVOCATION_FAILURE',
  'UNSUPPORTED',
])
/** Characters of an expression quoted where nothing points into it, and of a line around the place pointed at. */
const QUOTE_CAP = 500
const LINE_CAP = 120

/**
 * @param field names the expression in errors.
 * @param source with or without the `=` that modelers put before expressions.
 * @throws RelayError EXPRESSION_INVALID quoting the expression and pointing at the place.
 */
export function feelExpression(field: string, source: string, functions: FeelFunctions = {}): FeelExpression {
  const text = source.trim().replace(/^=/, '').trim()
  const known = { ...NULL_FUNCTIONS, ...functions }
  const scope = Object.fromEntries(
    Object.entries(known).map(([name, { parameters, call }]) => [name, new FeelFunction(call, parameters)]),
  )
  const wrong = (reason: string, at?: number, cause?: unknown): RelayError =>
    new RelayError('EXPRESSION_INVALID', described(field, text, reason, at), { cause })

  const fault = faultIn(text, known, scope)
  if (fault) throw wrong(fault.reason, fault.at)

  return {
    evaluate(variables) {
      const { value, warnings } = evaluated(() => evaluate(text, { ...variables, ...scope }), wrong)
      const misuse = warnings.find(({ type }) => WRONG.has(type))
      if (misuse) throw wrong(firstLine(misuse.message), misuse.position.from)
      const [hint] = warnings
      return {
        value: jsonOf(value, (reason) => wrong(reason)),
        wrong: (reason) =>
          wrong(hint ? `${reason} (${firstLine(hint.message)})` : reason, hint?.position.from),
      }
    },
  }
}

/** Expressions of all tasks and triggers: few, that come again and again. */
const MAX_CACHED = 1000
const cache = new Map<string, FeelExpression>()

/** As `feelExpression`, checked once. The same field must always have the same functions. */
export function knownExpression(field: string, source: string, functions?: FeelFunctions): FeelExpression {
  const key = `${field} ${source}`
  const known = cache.get(key)
  if (known) return known
  const expression = feelExpression(field, source, functions)
  const [oldest] = cache.keys()
  if (oldest !== undefined && cache.size >= MAX_CACHED) cache.delete(oldest)
  cache.set(key, expression)
  return expression
}

function evaluated<T>(run: () => T, wrong: (reason: string, at?: number, cause?: unknown) => RelayError): T {
  try {
    return run()
  } catch (cause) {
    throw wrong(`it cannot be evaluated: ${messageOf(cause)}`, undefined, cause)
  }
}

/** The library may show the source of a function. */
function firstLine(message: string): string {
  return message.split('\n', 1).join()
}

type SyntaxNode = ReturnType<typeof parseExpression>['topNode']

interface Fault {
  reason: string
  at: number
}

/** What is wrong with an expression whatever its variables will be. */
function faultIn(text: string, functions: FeelFunctions, scope: Record<string, unknown>): Fault | undefined {
  let misplaced: number | undefined
  const calls: SyntaxNode[] = []
  // Keys, parameters and loop variables: what they hold is known only on evaluation.
  const ownNames = new Set<string>()
  parseExpression(text, scope, undefined).iterate({
    enter({ type, name, from, to, node }) {
      if (type.isError) misplaced ??= from
      if (name === 'Name') ownNames.add(nameAt(text, from, to))
      if (name === 'FunctionInvocation') calls.push(node)
    },
  })
  if (misplaced !== undefined) {
    return text.slice(misplaced).trim() === ''
      ? { reason: 'the expression ends too early', at: text.length }
      : { reason: 'this cannot stand here', at: misplaced }
  }
  for (const call of calls) {
    const callee = call.firstChild
    if (callee?.name !== 'VariableName') continue
    const name = nameAt(text, callee.from, callee.to)
    const known = functions[name]
    if (known && tooManyParameters(call, known.parameters.length)) {
      return { reason: `${name} takes (${known.parameters.join(', ')}) and no more`, at: callee.from }
    }
    if (!known && !ownNames.has(name) && !isBuiltIn(name)) {
      const reason = `there is no function "${name}": use ${Object.keys(functions).join(', ')} or FEEL's own`
      return { reason, at: callee.from }
    }
  }
  return undefined
}

function nameAt(text: string, from: number, to: number): string {
  return text.slice(from, to).replace(/\s+/g, ' ')
}

function tooManyParameters(call: SyntaxNode, most: number): boolean {
  let count = 0
  let parameter = call.getChild('PositionalParameters')?.firstChild
  while (parameter) {
    if (!parameter.type.isSkipped) count += 1
    parameter = parameter.nextSibling
  }
  return count > most
}

function isBuiltIn(name: string): boolean {
  return typeof evaluate(name).value === 'function'
}

function jsonOf(value: unknown, wrong: (reason: string) => RelayError): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'undefined':
      return null
    case 'number':
      if (Number.isFinite(value)) return value
      throw wrong(`it gives ${value}, which JSON does not have`)
    case 'object':
      if (value === null) return null
      if (value instanceof FeelDateTime) return isoTime(value)
      if (value instanceof FeelDate || value instanceof FeelTime || value instanceof FeelDuration)
        return value.toString()
      if (Array.isArray(value)) return value.map((item: unknown) => jsonOf(item, wrong))
      if (Object.getPrototypeOf(value) === Object.prototype) {
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonOf(item, wrong)]))
      }
  }
  const what = typeof value === 'function' || value instanceof FeelFunction ? 'function' : 'range'
  throw wrong(`it gives a ${what}, which JSON does not have`)
}

/** FEEL writes `…T10:30:00@Europe/Paris`, everyone else `…T10:30:00+02:00[Europe/Paris]`. */
function isoTime(time: FeelDateTime): string {
  const text = time.toString()
  return text.includes('@') ? time.unwrap().toZonedDateTime(time.timezone).toString() : text
}

function described(field: string, text: string, reason: string, at: number | undefined): string {
  if (at === undefined) {
    const quote = text.length > QUOTE_CAP ? `${text.slice(0, QUOTE_CAP)}…` : text
    return `${field}: ${reason}\n${quote}`
  }
  const before = text.slice(0, at).split('\n')
  const column = before.at(-1)?.length ?? 0
  const line = text.split('\n')[before.length - 1] ?? ''
  const start = Math.max(0, column - LINE_CAP / 2)
  const shown = line.slice(start, start + LINE_CAP)
  return `${field}, line ${before.length}, column ${column + 1}: ${reason}\n${shown}\n${' '.repeat(column - start)}^`
}
