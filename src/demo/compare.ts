import type { AuditEntry } from '../audit/audit-entry.js'
import type { SlaSummary } from '../sla/sla-queries.js'
import type { StoredMessage } from './read-back.js'

/** An order whose process has ended. */
export interface Order {
  orderId: string
  processInstanceKey: string
}

/** What an adapter has left behind, as each place tells it. */
export interface Traces {
  adapter: string
  messages: readonly StoredMessage[]
  calls: readonly AuditEntry[]
  counters: readonly SlaSummary[]
}

/** Every way in which broker, audit log and SLA counters disagree with the orders, in words. None is the promise. */
export function differences(orders: readonly Order[], traces: Traces): string[] {
  const { adapter, messages, calls, counters } = traces
  const found: string[] = []
  for (const { orderId, processInstanceKey } of orders) {
    const who = `${adapter}, order ${orderId}`
    const own = calls.filter((call) => call.processInstanceKey === processInstanceKey)
    const [call] = own
    if (!call || own.length > 1) {
      found.push(`${who}: ${own.length} audit rows instead of 1`)
      continue
    }
    if (call.status !== 'published') found.push(`${who}: the audit row says ${call.status}`)
    const landed = messages.filter((message) => message.requestId === call.requestId)
    const [message] = landed
    if (!message || landed.length > 1) {
      found.push(`${who}: ${landed.length} messages carry its request id ${call.requestId} instead of 1`)
    } else if (!message.body.includes(JSON.stringify(orderId))) {
      found.push(`${who}: the message with its request id is about another order: ${message.body}`)
    }
  }
  if (messages.length !== orders.length) {
    found.push(`${adapter}: ${messages.length} messages in the topic instead of ${orders.length}`)
  }
  const counted = counters.reduce((sum, { calls: each }) => sum + each, 0)
  const errors = counters.reduce((sum, each) => sum + each.errors, 0)
  if (counted !== orders.length)
    found.push(`${adapter}: ${counted} calls counted instead of ${orders.length}`)
  if (errors > 0) found.push(`${adapter}: ${errors} errors counted instead of 0`)
  return found
}

/** What a trigger has started, as audit log and counters tell it. */
export interface Started {
  trigger: string
  calls: readonly AuditEntry[]
  counters: readonly SlaSummary[]
}

/** As `differences`: each message has started one process instance, under the request id of its publishing. */
export function roundTripDifferences(
  orders: readonly Order[],
  { calls }: Traces,
  { trigger, calls: starts, counters }: Started,
): string[] {
  const found = orders.flatMap(({ orderId, processInstanceKey }) => {
    const published = calls.find((call) => call.processInstanceKey === processInstanceKey)
    const own = starts.filter((start) => start.requestId === published?.requestId)
    const [start] = own
    if (!start || own.length > 1) {
      return [`${trigger}, order ${orderId}: ${own.length} process instances started instead of 1`]
    }
    return start.status === 'done' ? [] : [`${trigger}, order ${orderId}: the audit row says ${start.status}`]
  })
  const counted = counters.reduce((sum, { calls: each }) => sum + each, 0)
  if (counted !== orders.length)
    found.push(`${trigger}: ${counted} starts counted instead of ${orders.length}`)
  return found
}
