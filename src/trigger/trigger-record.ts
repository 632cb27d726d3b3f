import type { Adapter } from '../adapters/adapter.js'
import type { AuditRow, AuditStatus } from '../audit/call-record.js'
import type { Capture } from '../audit/capture.js'
import type { Operation } from '../audit/operations.js'
import { textOrBase64 } from '../core/base64.js'
import type { CounterSample } from '../sla/counters.js'
import { deadLetterOf } from './give-up.js'
import { attributesOf, type ReadMessage } from './message-view.js'
import type { TriggerAction } from './trigger.js'
import type { Acting } from './trigger-action.js'
import type { LedgerEntry } from './trigger-ledger.js'
import type { TriggerOutcome } from './trigger-outcome.js'
import type { TriggerRecord } from './trigger-recorder.js'

/** One delivery of a message, and what has become known of it on its way. */
export interface Consumption extends Acting {
  /** As the ledger would have it. */
  readonly entry: LedgerEntry
  /** `performance.now()` at which it was last begun with. */
  startedAt: number
  adapter?: Adapter
  read?: ReadMessage
  /** Is tried once more by a person, whatever the ledger knows of it. */
  isReplay?: boolean
  /** The ledger has it as begun. */
  isOpen?: boolean
}

/** What an ended delivery leaves behind. */
export interface TriggerTraces {
  /** In Postgres. */
  record: TriggerRecord
  /** In the file log; null where the adapter's switch is off. */
  logged: AuditRow | null
}

export const OPERATION_OF = {
  start: 'trigger.start',
  message: 'trigger.correlate',
  forward: 'trigger.forward',
} as const satisfies Record<TriggerAction['kind'], Operation>

const NOTHING: TriggerRecord = {
  audit: null,
  sample: null,
  handled: null,
  deadLetter: null,
}

/** Null: nothing is to be left behind. */
export function tracesOf(
  consumption: Consumption,
  outcome: TriggerOutcome,
  capture: Capture,
): TriggerTraces | null {
  if (outcome.kind === 'repeated') return null
  const { adapter } = consumption
  const durationMs = performance.now() - consumption.startedAt
  const isAudited = adapter?.auditRequests !== false
  const isLogged = adapter?.logResults === true
  const row = isAudited || isLogged ? auditRowOf(consumption, outcome, durationMs, capture) : null
  const record: TriggerRecord = {
    audit: isAudited ? row : null,
    sample: sampleOf(consumption, 'error' in outcome ? 'error' : 'ok', durationMs),
    handled: isHandled(outcome) ? consumption.entry : null,
    deadLetter: letterOf(consumption, outcome),
  }
  return { record, logged: isLogged ? row : null }
}

/** A message that has to wait is no call: it is only counted. */
export function heldRecordOf(consumption: Consumption): TriggerRecord {
  return { ...NOTHING, sample: sampleOf(consumption, 'held', 0) }
}

function sampleOf(
  { trigger, adapter }: Consumption,
  result: CounterSample['result'],
  durationMs: number,
): CounterSample | null {
  if (adapter?.slaMonitoring === false) return null
  const { action } = trigger
  return {
    adapterId: trigger.adapterId,
    operation: OPERATION_OF[action.kind],
    processId: action.kind === 'start' ? action.processId : '',
    result,
    durationMs,
  }
}

/** Whether a redelivery has nothing to do any more. What does nothing anyway need not be remembered. */
function isHandled(outcome: TriggerOutcome): boolean {
  switch (outcome.kind) {
    case 'started':
    case 'correlated':
    case 'forwarded':
    case 'dead-letter':
      return true
    case 'repeated':
    case 'passed-over':
    case 'skipped':
    case 'failed':
      return false
  }
}

function letterOf(
  { trigger, message, adapter, requestId, stage }: Consumption,
  outcome: TriggerOutcome,
): TriggerRecord['deadLetter'] {
  if (outcome.kind !== 'dead-letter') return null
  const listened = { id: trigger.adapterId, name: adapter?.name ?? '' }
  return deadLetterOf(message, { trigger, adapter: listened, requestId, stage, error: outcome.error })
}

function auditRowOf(
  consumption: Consumption,
  outcome: TriggerOutcome,
  durationMs: number,
  capture: Capture,
): AuditRow {
  const { trigger, message, adapter, requestId } = consumption
  const { action } = trigger
  const error = 'error' in outcome ? outcome.error : null
  const instance = outcome.kind === 'started' ? outcome.instance : null
  const receipt = receiptOf(outcome, requestId)
  return {
    requestId,
    source: 'trigger',
    operation: OPERATION_OF[action.kind],
    adapterId: trigger.adapterId,
    adapterName: adapter?.name ?? null,
    adapterKind: adapter?.kind ?? null,
    destination: message.topic,
    receipt,
    status: statusOf(outcome),
    errorCode: error?.code ?? null,
    errorText: error?.message ?? null,
    durationMs,
    attempt: message.attempt,
    processInstanceKey: instance?.processInstanceKey ?? null,
    processId: action.kind === 'start' ? action.processId : null,
    processVersion: instance?.processVersion ?? null,
    elementId: null,
    jobKey: null,
    request: requestOf(consumption, capture),
    response: receipt ?? (error && JSON.stringify({ code: error.code, description: error.message })),
  }
}

function statusOf(outcome: TriggerOutcome): AuditStatus {
  switch (outcome.kind) {
    case 'started':
    case 'correlated':
      return 'done'
    case 'forwarded':
      return 'published'
    case 'repeated':
    case 'passed-over':
    case 'skipped':
      return 'skipped'
    case 'dead-letter':
    case 'failed':
      return outcome.error.outcome === 'rejected' ? 'rejected' : 'failed'
  }
}

function receiptOf(outcome: TriggerOutcome, requestId: string): string | null {
  switch (outcome.kind) {
    case 'started':
      return JSON.stringify({ requestId, ...outcome.instance })
    case 'correlated':
      return JSON.stringify({ requestId, messageKey: outcome.messageKey })
    case 'forwarded':
      return JSON.stringify({ requestId, ...outcome.receipt, kind: undefined })
    default:
      return null
  }
}

function requestOf({ trigger, message, read }: Consumption, capture: Capture): string | null {
  const members: [string, string][] = [
    ['trigger', JSON.stringify(trigger.name)],
    ['messageId', JSON.stringify(message.id)],
    ...attributesOf(message),
  ]
  const key = read?.key ?? (message.key && JSON.stringify(textOrBase64(message.key)))
  if (key) members.push(['key', key])
  const value = read?.value ?? (message.value && JSON.stringify(textOrBase64(message.value)))
  return capture(members, value ?? 'null')
}
