import type { Receipt } from '../brokers/broker.js'
import { RelayError } from '../core/errors.js'
import type { Job, Settlement } from '../engine/engine.js'
import type { CallAction } from '../sla/worker-stats.js'
import type { ErrorInfo, TaskExpressions, Verdict } from './expressions.js'

/** How a publish ended. */
export type Outcome =
  /** `repeated`: by an earlier delivery of the same job; nothing was sent now. */
  | { kind: 'published'; result: PublishResult; repeated: boolean }
  /** Dropped by the adapter's own module: nothing was sent, and that is well. */
  | { kind: 'skipped'; result: PublishResult }
  | { kind: 'rejected'; error: RelayError }
  | { kind: 'failed'; error: RelayError }
  | { kind: 'held'; error: RelayError }

/** What a process gets back: request id and receipt; 64-bit numbers as text where they exceed 2^53. */
export type PublishResult = Record<string, unknown>

/** The longest error text the engine is given. */
const MAX_MESSAGE = 6000

export function resultOf(requestId: string, receipt: Receipt): PublishResult {
  switch (receipt.kind) {
    case 'kafka': {
      const { topic, partition, offset, timestamp } = receipt
      return { requestId, topic, partition, offset: int64(offset), timestamp: int64(timestamp) }
    }
    case 'rocketmq': {
      const { topic, messageId, queueId, queueOffset } = receipt
      return { requestId, topic, messageId, queueId, queueOffset: int64(queueOffset) }
    }
    default:
      return receipt satisfies never
  }
}

/** What a process gets where the adapter's own module dropped the record. */
export function skippedResult(requestId: string, topic: string): PublishResult {
  return { requestId, topic, skipped: true }
}

/** A result as the ledger keeps it. */
export function storedResult(text: string): PublishResult {
  const value: unknown = JSON.parse(text)
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value)) : {}
}

export function failureOf(error: RelayError): Outcome {
  return { kind: error.outcome, error }
}

/** An outcome as the worker counts it. */
export function actionOf(outcome: Outcome): CallAction {
  switch (outcome.kind) {
    case 'published':
      return outcome.repeated ? 'repeated' : 'completed'
    case 'skipped':
      return 'completed'
    case 'rejected':
    case 'failed':
    case 'held':
      return outcome.kind
    default:
      return outcome satisfies never
  }
}

/** What an outcome's settlement depends on besides the job. */
export interface SettleOptions {
  requestId: string
  retryBackOffMs: number
  holdMs: () => number
  expressions: TaskExpressions
}

/** What the engine is told; the table "What a failure does" in docs/errors.md, as code. */
export function settlementOf(outcome: Outcome, job: Job, options: SettleOptions): Settlement {
  try {
    const verdict = verdictOn(outcome, job, options)
    return verdict ? settledBy(verdict, outcome, options) : settledByRule(outcome, job, options)
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    return incident(withEnding(error, outcome), options.requestId)
  }
}

function settledByRule(outcome: Outcome, job: Job, options: SettleOptions): Settlement {
  const { requestId, retryBackOffMs, holdMs, expressions } = options
  switch (outcome.kind) {
    case 'published':
    case 'skipped': {
      const { resultVariable } = job.headers
      const whole = resultVariable ? { [resultVariable]: outcome.result } : {}
      return { kind: 'complete', variables: { ...whole, ...expressions.variablesOf(outcome.result) } }
    }
    case 'rejected':
      return incident(outcome.error, requestId)
    case 'failed':
      return {
        kind: 'fail',
        retries: Math.max(0, job.retries - 1),
        backOffMs: retryBackOffMs,
        ...explained(outcome.error, requestId),
      }
    case 'held':
      return {
        kind: 'fail',
        retries: job.retries,
        backOffMs: outcome.error.retryAfterMs ?? holdMs(),
        ...explained(outcome.error, requestId),
      }
    default:
      return outcome satisfies never
  }
}

/** A hold is no error, and nothing for the process to know of. */
function verdictOn(
  outcome: Outcome,
  job: Job,
  { requestId, expressions }: SettleOptions,
): Verdict | undefined {
  switch (outcome.kind) {
    case 'published':
    case 'skipped':
      return expressions.verdictOn({ response: outcome.result, error: null }, job.retries)
    case 'rejected':
    case 'failed':
      return expressions.verdictOn({ response: null, error: infoOf(outcome.error, requestId) }, job.retries)
    case 'held':
      return undefined
    default:
      return outcome satisfies never
  }
}

function settledBy(verdict: Verdict, outcome: Outcome, { requestId }: SettleOptions): Settlement {
  const { variables } = verdict
  switch (verdict.kind) {
    case 'bpmnError':
      return { kind: 'bpmnError', code: verdict.code, message: cut(verdict.message), variables }
    case 'jobError': {
      const { retries, backOffMs } = verdict
      const told = 'error' in outcome ? { error: infoOf(outcome.error, requestId) } : {}
      return {
        kind: 'fail',
        retries,
        backOffMs,
        message: cut(verdict.message),
        variables: { ...told, ...variables },
      }
    }
    case 'ignoreError':
      return { kind: 'complete', variables }
    default:
      return verdict satisfies never
  }
}

/** An expression that turned out wrong must not hide what it was asked about. */
function withEnding(wrong: RelayError, outcome: Outcome): RelayError {
  return new RelayError(wrong.code, `${wrong.message}\n${endingOf(outcome)}`, { cause: wrong })
}

function endingOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'published':
      return 'The message is published, and not sent again for this job.'
    case 'skipped':
      return "The message was dropped by the adapter's module."
    case 'rejected':
    case 'failed':
    case 'held':
      return `The publish itself: ${outcome.error.code}: ${outcome.error.message}`
    default:
      return outcome satisfies never
  }
}

function incident(error: RelayError, requestId: string): Settlement {
  return { kind: 'fail', retries: 0, backOffMs: 0, ...explained(error, requestId) }
}

function explained(
  error: RelayError,
  requestId: string,
): { message: string; variables: Record<string, unknown> } {
  const info = infoOf(error, requestId)
  return {
    message: `${info.code}: ${info.description} (request ${requestId})`,
    variables: { error: info },
  }
}

function infoOf(error: RelayError, requestId: string): ErrorInfo {
  return { code: error.code, description: cut(error.message), retryable: error.retryable, requestId }
}

function cut(message: string): string {
  return message.slice(0, MAX_MESSAGE)
}

function int64(text: string | null): number | string | null {
  if (text === null) return null
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}
