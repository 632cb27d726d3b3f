import { knownExpression } from '../core/feel.js'
import { defaultVariables, type ReadMessage, viewOf } from './message-view.js'
import type { Trigger } from './trigger.js'

type View = Record<string, unknown>

/**
 * A message as the expressions of a trigger see it: numbers are doubles there. Each may throw RelayError
 * EXPRESSION_INVALID.
 */
export class Evaluated {
  readonly #read: ReadMessage
  #view: View | undefined

  constructor(read: ReadMessage) {
    this.#read = read
  }

  /** Without a condition every message is handled. */
  isActivated({ activationCondition }: Pick<Trigger, 'activationCondition'>): boolean {
    if (activationCondition === null) return true
    const { value, wrong } = this.#evaluate('activationCondition', activationCondition)
    if (typeof value === 'boolean') return value
    // As in a condition of FEEL.
    if (value === null) return false
    throw wrong(`it gives ${shown(value)}, but must give true or false`)
  }

  /** JSON text of an object. */
  variables({ variables }: Pick<Trigger, 'variables'>): string {
    if (variables === null) return defaultVariables(this.#read)
    const { value, wrong } = this.#evaluate('variables', variables)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return JSON.stringify(value)
    throw wrong(`it gives ${shown(value)}, but must give a context such as {orderId: value.id}`)
  }

  /** Of a correlation key or message id. */
  text(field: 'correlationKey' | 'messageId', expression: string): string {
    const { value, wrong } = this.#evaluate(field, expression)
    if (typeof value === 'string') return value
    if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
    const hint =
      typeof value === 'number'
        ? ': such a number may have been rounded, and stand for several; send it as a text'
        : ''
    throw wrong(`it gives ${shown(value)}, but must give a text or a whole number${hint}`)
  }

  #evaluate(field: string, expression: string) {
    this.#view ??= viewOf(this.#read)
    return knownExpression(field, expression).evaluate(this.#view)
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
