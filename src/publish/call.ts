import type { Adapter } from '../adapters/adapter.js'
import type { AuditRow, CallRecord } from '../audit/call-record.js'
import type { Capture } from '../audit/capture.js'
import type { Receipt } from '../brokers/broker.js'
import type { RegisteredDriver } from '../brokers/registry.js'
import type { RelayError } from '../core/errors.js'
import type { Job } from '../engine/engine.js'
import type { CounterSample } from '../sla/counters.js'
import type { TaskExpressions } from './expressions.js'
import type { InputReader, JobInput } from './job-input.js'
import type { Outcome } from './outcome.js'

/** Name of the one operation of service tasks in audit log and counters. */
export const OPERATION = 'publish'

/** One delivery of a job, and what has become known of it on its way. */
export interface Call {
  readonly job: Job
  readonly driver: RegisteredDriver
  readonly reader: InputReader
  /** `performance.now()` */
  readonly startedAt: number
  requestId: string
  retryBackOffMs: number
  expressions: TaskExpressions
  /** Which delivery of the job this is, from 1. */
  attempt: number
  /** Whether the ledger may have a row of the job, to be forgotten once the job is settled. */
  mayBeInLedger: boolean
  input?: JobInput
  adapter?: Adapter
  fingerprint?: string
  receipt?: Receipt
}

/** What an ended call leaves behind. */
export interface Traces {
  /** In Postgres. */
  record: CallRecord
  /** In the file log; null where the adapter's switch is off. */
  logged: AuditRow | null
}

/** A hold is no call: it is only counted. */
export function tracesOf(call: Call, outcome: Outcome, capture: Capture): Traces {
  const { job, adapter } = call
  const durationMs = performance.now() - call.startedAt
  const sample: CounterSample = {
    adapterId: adapter?.id ?? null,
    operation: OPERATION,
    processId: job.processId,
    result: outcome.kind === 'held' ? 'held' : 'error' in outcome ? 'error' : 'ok',
    durationMs,
  }
  const counted = adapter?.slaMonitoring === false ? null : sample
  if (outcome.kind === 'held') {
    return { record: { audit: null, ledger: null, sample: counted, deadline: job.deadline }, logged: null }
  }
  const receipt = outcome.kind === 'published' ? JSON.stringify(outcome.result) : null
  const isAudited = adapter?.auditRequests !== false
  const isLogged = adapter?.logResults === true
  const row = isAudited || isLogged ? auditRowOf(call, outcome, receipt, durationMs, capture) : null
  const record: CallRecord = {
    audit: isAudited ? row : null,
    ledger: {
      jobKey: job.key,
      processInstanceKey: job.processInstanceKey,
      elementInstanceKey: job.elementInstanceKey,
      fingerprint: call.fingerprint ?? '',
      attempts: call.attempt,
      receipt: isForgotten(call) ? null : receipt,
    },
    sample: counted,
    deadline: job.deadline,
  }
  return { record, logged: isLogged ? row : null }
}

/** Sent without acknowledgement: nobody knows that it arrived, so nothing may keep it from being sent again. */
function isForgotten({ receipt }: Call): boolean {
  return receipt?.kind === 'kafka' && receipt.offset === null
}

function auditRowOf(
  call: Call,
  outcome: Exclude<Outcome, { kind: 'held' }>,
  receipt: string | null,
  durationMs: number,
  capture: Capture,
): AuditRow {
  const { job, adapter, input } = call
  const error = 'error' in outcome ? outcome.error : null
  return {
    requestId: call.requestId,
    source: 'job',
    operation: OPERATION,
    adapterId: adapter?.id ?? null,
    adapterName: adapter?.name ?? input?.adapterId ?? null,
    adapterKind: call.driver.kind,
    destination: input?.topic ?? null,
    receipt,
    status: outcome.kind,
    errorCode: error?.code ?? null,
    errorText: error?.message ?? null,
    durationMs,
    attempt: call.attempt,
    processInstanceKey: job.processInstanceKey,
    processId: job.processId,
    processVersion: job.processVersion,
    elementId: job.elementId,
    jobKey: job.key,
    request: requestOf(call, capture),
    response: receipt ?? JSON.stringify('error' in outcome ? spoken(outcome.error) : outcome.result),
  }
}

function spoken({ code, message }: RelayError): { code: string; description: string } {
  return { code, description: message }
}

function requestOf({ reader, driver }: Call, capture: Capture): string | null {
  const members: [string, string][] = []
  for (const name of ['topic', ...driver.inputs]) {
    const raw = reader.peek(name)
    if (raw !== undefined) members.push([name, raw])
  }
  return capture(members, reader.peek('message'))
}
