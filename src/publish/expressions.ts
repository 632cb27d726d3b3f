import type { ErrorCode } from '../core/errors.js'
import { type Evaluation, type FeelExpression, type FeelFunctions, knownExpression } from '../core/feel.js'
import { parseDuration } from '../core/time-text.js'

/** What an `errorExpression` decides in place of the rule. */
export type Verdict =
  | { kind: 'bpmnError'; code: string; message: string; variables: Variables }
  | { kind: 'jobError'; message: string; variables: Variables; retries: number; backOffMs: number }
  | { kind: 'ignoreError'; variables: Variables }

type Variables = Record<string, unknown>

/** What processes are told of a failure: by BPMN, by the variable `error` and in expressions. */
export interface ErrorInfo {
  code: ErrorCode
  description: string
  retryable: boolean
  requestId: string
}

/** How a publish ended, as an `errorExpression` sees it. */
export type Ending = { response: Variables; error: null } | { response: null; error: ErrorInfo }

/** The expressions a task has in its headers. */
export interface TaskExpressions {
  /** The variables `resultExpression` makes of a response; none without one. @throws RelayError EXPRESSION_INVALID */
  variablesOf(response: Variables): Variables
  /**
   * What `errorExpression` decides; undefined, also without one: go on by the rule.
   * @throws RelayError EXPRESSION_INVALID
   */
  verdictOn(ending: Ending, retries: number): Verdict | undefined
}

export const NO_EXPRESSIONS: TaskExpressions = { variablesOf: () => ({}), verdictOn: () => undefined }

/** Camunda's functions. The values are looked at once it is known that they are the expression's result. */
const ERROR_FUNCTIONS: FeelFunctions = Object.fromEntries(
  [
    ['bpmnError', 'code', 'message', 'variables'],
    ['jobError', 'message', 'variables', 'retries', 'retryBackoff'],
    ['ignoreError', 'variables'],
  ].map(([errorType = '', ...parameters]) => [
    errorType,
    {
      parameters,
      call: (...values) => ({
        errorType,
        ...Object.fromEntries(parameters.map((name, at) => [name, values[at]])),
      }),
    },
  ]),
)

const MAX_RETRIES = 2 ** 31 - 1

/** @throws RelayError EXPRESSION_INVALID for what is wrong with an expression whatever will happen. */
export function taskExpressions(headers: Record<string, string>): TaskExpressions {
  const result = expressionIn(headers, 'resultExpression', {})
  const error = expressionIn(headers, 'errorExpression', ERROR_FUNCTIONS)
  if (!result && !error) return NO_EXPRESSIONS
  return {
    variablesOf(response) {
      if (!result) return {}
      const { value, wrong } = result.evaluate({ ...response, response })
      if (isContext(value)) return value
      throw wrong(`it gives ${shown(value)}, but must give a context such as {offset: response.offset}`)
    },
    verdictOn({ response, error: info }, retries) {
      if (!error) return undefined
      // Camunda's name of the description, for expressions that come from there.
      const named = info && { ...info, message: info.description }
      return verdictOf(error.evaluate({ ...response, response, error: named, job: { retries } }))
    },
  }
}

function expressionIn(
  headers: Record<string, string>,
  name: string,
  functions: FeelFunctions,
): FeelExpression | undefined {
  const text = headers[name]
  if (text === undefined || text.trim() === '') return undefined
  return knownExpression(name, text, functions)
}

function verdictOf({ value, wrong }: Evaluation): Verdict | undefined {
  if (value === null) return undefined
  const given = isContext(value) ? value : {}
  const refusal = (name: string, right: string) =>
    wrong(`${given.errorType} has ${shown(given[name] ?? null)} as its ${name}: it must be ${right}`)
  const message = (): string => {
    const text = given.message ?? ''
    if (typeof text === 'string') return text
    throw refusal('message', 'a text')
  }
  const variables = (): Variables => {
    const context = given.variables ?? {}
    if (isContext(context)) return context
    throw refusal('variables', 'a context such as {reason: "…"}')
  }
  switch (given.errorType) {
    case 'bpmnError': {
      const { code } = given
      if (typeof code !== 'string' || code === '') throw refusal('code', 'a text that is not empty')
      return { kind: 'bpmnError', code, message: message(), variables: variables() }
    }
    case 'jobError': {
      const retries = given.retries ?? 0
      if (typeof retries !== 'number' || !Number.isInteger(retries) || retries > MAX_RETRIES)
        throw refusal('retries', 'a whole number, such as job.retries - 1')
      const pause = given.retryBackoff ?? 'PT0S'
      const backOffMs = typeof pause === 'string' ? parseDuration(pause) : undefined
      if (backOffMs === undefined) throw refusal('retryBackoff', 'a duration such as @"PT30S"')
      return {
        kind: 'jobError',
        message: message(),
        variables: variables(),
        retries: Math.max(0, retries),
        backOffMs,
      }
    }
    case 'ignoreError':
      return { kind: 'ignoreError', variables: variables() }
    default:
      throw wrong(`it gives ${shown(value)}, but must give bpmnError(…), jobError(…), ignoreError(…) or null`)
  }
}

function isContext(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
