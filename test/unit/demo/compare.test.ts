import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AuditEntry } from '../../../src/audit/audit-entry.js'
import { differences, roundTripDifferences, type Started, type Traces } from '../../../src/demo/compare.js'
import type { SlaSummary } from '../../../src/sla/sla-queries.js'

const ORDERS = ['1', '2'].map((number) => ({ orderId: `order-${number}`, processInstanceKey: number }))

function call(key: string, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    ...{ id: key, at: '2026-01-01T00:00:00.000000Z', requestId: `request-${key}`, source: 'job' },
    ...{ operation: 'publish', adapterId: 'id', adapterName: 'orders', adapterKind: 'kafka' },
    ...{ destination: 'orders', receipt: null, status: 'published', errorCode: null, errorText: null },
    ...{ durationMs: 1, attempt: 1, processInstanceKey: key, processId: 'p', processVersion: 1 },
    ...{
      elementId: 'task',
      jobKey: key,
      engine: 'e',
      worker: 'w',
      actor: null,
      request: null,
      response: null,
    },
    ...more,
  }
}

const COUNTER: SlaSummary = {
  ...{ adapterId: 'id', adapterName: 'orders', operation: 'publish', processId: 'p' },
  ...{ calls: 2, errors: 0, errorRate: 0, held: 0 },
  ...{ averageMs: 1, p50Ms: 1, p95Ms: 1, p99Ms: 1, maxMs: 1 },
}

const message = (key: string) => ({
  requestId: `request-${key}`,
  place: `offset ${key}`,
  body: `{"orderId":"order-${key}"}`,
})

function found(more: Partial<Traces>): string {
  const traces: Traces = {
    adapter: 'orders',
    messages: [message('1'), message('2')],
    calls: [call('1'), call('2')],
    counters: [COUNTER],
    ...more,
  }
  return differences(ORDERS, traces).join('\n')
}

describe('the comparison of the demo', () => {
  it('finds nothing where each order has one message, one audit row and one counted call', () => {
    assert.equal(found({}), '')
  })

  it('names the order whose message is missing', () => {
    assert.match(found({ messages: [message('1')] }), /order-2: 0 messages carry its request id request-2/)
  })

  it('names the order whose message is there twice', () => {
    assert.match(found({ messages: [message('1'), message('2'), message('2')] }), /order-2: 2 messages/)
  })

  it('finds a message under the request id of another order', () => {
    const swapped = [message('1'), { ...message('1'), requestId: 'request-2' }]
    assert.match(found({ messages: swapped }), /order-2: .* about another order/)
  })

  it('finds messages that nobody recorded', () => {
    assert.match(found({ messages: [message('1'), message('2'), message('3')] }), /3 messages in the topic/)
  })

  it('names the order whose audit row is missing, or says it failed', () => {
    assert.match(found({ calls: [call('1')] }), /order-2: 0 audit rows/)
    assert.match(found({ calls: [call('1'), call('2', { status: 'failed' })] }), /order-2: .* failed/)
  })

  it('finds calls that are not counted, and counted errors', () => {
    assert.match(found({ counters: [] }), /0 calls counted instead of 2/)
    assert.match(found({ counters: [{ ...COUNTER, errors: 1 }] }), /1 errors counted/)
  })
})

describe('the comparison of the round trip', () => {
  const TRACES: Traces = { adapter: 'orders', messages: [], calls: [call('1'), call('2')], counters: [] }
  const start = (key: string, more: Partial<AuditEntry> = {}) =>
    call(key, { ...{ source: 'trigger', operation: 'trigger.start', status: 'done' }, ...more })
  const missing = (more: Partial<Started>) =>
    roundTripDifferences(ORDERS, TRACES, {
      ...{ trigger: 'in', calls: [start('1'), start('2')], counters: [COUNTER] },
      ...more,
    }).join('\n')

  it('finds nothing where each message has started one process', () => {
    assert.equal(missing({}), '')
  })

  it('names the order whose message has started nothing, or two', () => {
    assert.equal(
      missing({ calls: [start('1')] }),
      'in, order order-2: 0 process instances started instead of 1',
    )
    assert.match(missing({ calls: [start('1'), start('2'), start('2')] }), /order-2: 2 process instances/)
  })

  it('names the order whose message was given up, and miscounted starts', () => {
    assert.match(
      missing({ calls: [start('1'), start('2', { status: 'rejected' })] }),
      /order-2: .* says rejected/,
    )
    assert.match(missing({ counters: [] }), /in: 0 starts counted instead of 2/)
  })
})
