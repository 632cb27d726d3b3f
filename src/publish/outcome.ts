import type { Receipt } from '../brokers/broker.js'
import type { RelayError } from '../core/errors.js'
import type { Job, Settlement } from '../engine/engine.js'

/** How a publish ended. */
export type Outcome =
  /** `repeated`: by an earlier delivery of the same job; nothing was sent now. */
  | { kind: 'published'; result: PublishResult; repeated: boolean }
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

/** A result as the ledger keeps it. */
export function storedResult(text: string): PublishResult {
  const value: unknown = JSON.parse(text)
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value)) : {}
}

export function failureOf(error: RelayError): Outcome {
  return { kind: error.outcome, error }
}

/** What the engine is told; the table "What a failure does" in docs/errors.md, as code. */
export function settlementOf(
  outcome: Outcome,
  job: Job,
  options: { requestId: string; retryBackOffMs: number; holdMs: () => number },
): Settlement {
  switch (outcome.kind) {
    case 'published': {
      const { resultVariable } = job.headers
      return { kind: 'complete', variables: resultVariable ? { [resultVariable]: outcome.result } : {} }
    }
    case 'rejected':
      return { kind: 'fail', retries: 0, backOffMs: 0, ...explained(outcome.error, options.requestId) }
    case 'failed':
      return {
        kind: 'fail',
        retries: Math.max(0, job.retries - 1),
        backOffMs: options.retryBackOffMs,
        ...explained(outcome.error, options.requestId),
      }
    case 'held':
      return {
        kind: 'fail',
        retries: job.retries,
        backOffMs: options.holdMs(),
        ...explained(outcome.error, options.requestId),
      }
    default:
      return outcome satisfies never
  }
}

function explained(
  error: RelayError,
  requestId: string,
): { message: string; variables: Record<string, unknown> } {
  const description = error.message.slice(0, MAX_MESSAGE)
  return {
    message: `${error.code}: ${description} (request ${requestId})`,
    variables: { error: { code: error.code, description, retryable: error.retryable, requestId } },
  }
}

function int64(text: string | null): number | string | null {
  if (text === null) return null
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}
