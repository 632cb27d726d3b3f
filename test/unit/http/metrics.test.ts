import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_SPOOL } from '../../../src/audit/spool/spool.js'
import { createMetrics, type MetricsSource } from '../../../src/http/metrics.js'
import { WorkerStats } from '../../../src/sla/worker-stats.js'
import { TriggerStats } from '../../../src/trigger/trigger-stats.js'
import type { NamedStatus } from '../../../src/trigger/trigger-worker.js'

describe('/metrics', () => {
  it('counts calls by adapter, operation and how they ended', async () => {
    const { stats, lines } = watched()
    stats.ended('orders', 'publish', 'completed', 10)
    stats.ended('orders', 'publish', 'failed', 10)
    const told = await lines('bpmn_relay_outbound_invocations_total')
    assert.ok(told.includes('{adapter="orders",operation="publish",action="completed"} 1'), told.join('\n'))
    assert.ok(told.includes('{adapter="orders",operation="publish",action="failed"} 1'))
  })

  it('tells durations as a histogram whose buckets add up', async () => {
    const { stats, lines } = watched()
    for (const ms of [0.1, 3, 3, 90_000]) stats.ended('orders', 'publish', 'completed', ms)
    const buckets = await lines('bpmn_relay_outbound_execution_time_seconds_bucket')
    const upTo = (le: string) => buckets.find((line) => line.includes(`le="${le}"`))?.split(' ')[1]
    assert.deepEqual(
      [upTo('0.00025'), upTo('0.002'), upTo('0.004'), upTo('32.768'), upTo('+Inf')],
      ['1', '1', '3', '3', '4'],
    )
    assert.deepEqual(await lines('bpmn_relay_outbound_execution_time_seconds_count'), [
      '{adapter="orders",operation="publish"} 4',
    ])
    assert.deepEqual(await lines('bpmn_relay_outbound_execution_time_seconds_sum'), [
      '{adapter="orders",operation="publish"} 90.0061',
    ])
  })

  it('tells the same when it is asked again', async () => {
    const { stats, lines } = watched()
    stats.ended('orders', 'publish', 'completed', 10)
    stats.settled('complete', 'gone')
    for (const name of ['bpmn_relay_outbound_invocations_total', 'bpmn_relay_worker_job_settled_total'])
      assert.deepEqual(await lines(name), await lines(name))
  })

  it('counts completions that the engine refused', async () => {
    const { stats, lines } = watched()
    stats.settled('complete', 'accepted')
    stats.settled('complete', 'gone')
    assert.ok(
      (await lines('bpmn_relay_worker_job_settled_total')).includes('{action="complete",answer="gone"} 1'),
    )
  })

  it('tells the one state each circuit is in, and nothing of adapters that are gone', async () => {
    const circuits = new Map([['orders', { position: 'open' as const, since: new Date() }]])
    const { lines } = watched({ connections: { circuits: () => circuits, loads: () => new Map() } })
    assert.deepEqual(await lines('bpmn_relay_adapter_circuit_state'), [
      '{adapter="orders",state="closed"} 0',
      '{adapter="orders",state="open"} 1',
      '{adapter="orders",state="half-open"} 0',
    ])
    circuits.clear()
    assert.deepEqual(await lines('bpmn_relay_adapter_circuit_state'), [])
  })

  it('tells what each adapter has in flight and what waits for its turn', async () => {
    const loads = new Map([['orders', { inFlight: 3, waiting: 2 }]])
    const { lines } = watched({ connections: { circuits: () => new Map(), loads: () => loads } })
    assert.deepEqual(await lines('bpmn_relay_adapter_sends_in_flight'), ['{adapter="orders"} 3'])
    assert.deepEqual(await lines('bpmn_relay_adapter_rate_limit_waiting'), ['{adapter="orders"} 2'])
  })

  it('counts messages by trigger, what it does and what became of them', async () => {
    const { triggerStats, lines } = watched()
    triggerStats.ended('orders', 'start', 'started', 10)
    triggerStats.ended('orders', 'start', 'repeated', 1)
    const told = await lines('bpmn_relay_inbound_triggers_total')
    assert.ok(told.includes('{trigger="orders",action="start",result="started"} 1'), told.join('\n'))
    assert.ok(told.includes('{trigger="orders",action="start",result="repeated"} 1'))
    assert.deepEqual(await lines('bpmn_relay_inbound_execution_time_seconds_count'), [
      '{trigger="orders",action="start"} 1',
    ])
  })

  it('tells the state of each trigger, how far behind it is, and what it gave up', async () => {
    const status: NamedStatus = {
      ...{ name: 'orders', state: 'held', reason: 'the engine is away', topics: ['a', 'b'], queues: 4 },
      ...{ handling: 3, pollAgeMs: null, lag: { a: 5, b: 0 } },
    }
    const { lines } = watched({
      triggers: () => ({
        status: () => new Map([['1', status]]),
        deadLetters: () => new Map([['orders', 7]]),
      }),
    })
    const states = await lines('bpmn_relay_trigger_state')
    assert.deepEqual(
      states.filter((line) => line.endsWith(' 1')),
      ['{trigger="orders",state="held"} 1'],
    )
    assert.deepEqual(await lines('bpmn_relay_trigger_lag'), [
      '{trigger="orders",topic="a"} 5',
      '{trigger="orders",topic="b"} 0',
    ])
    assert.deepEqual(await lines('bpmn_relay_trigger_messages_in_hand'), ['{trigger="orders"} 3'])
    assert.deepEqual(await lines('bpmn_relay_trigger_last_poll_age_seconds'), [])
    assert.deepEqual(await lines('bpmn_relay_dead_letters_waiting'), ['{trigger="orders"} 7'])
  })

  it('keeps a name with quotes and line breaks in one label', async () => {
    const { stats, lines } = watched()
    stats.ended('a"b\nc', 'publish', 'completed', 1)
    const [count] = await lines('bpmn_relay_outbound_execution_time_seconds_count')
    assert.equal(count, '{adapter="a\\"b\\nc",operation="publish"} 1')
  })
})

function watched(given: Partial<MetricsSource> = {}) {
  const stats = new WorkerStats()
  const triggerStats = new TriggerStats()
  const registry = createMetrics({
    stats,
    triggerStats,
    triggers: () => undefined,
    connections: { circuits: () => new Map(), loads: () => new Map() },
    worker: () => undefined,
    maxInFlight: 1,
    recordsWaiting: () => 0,
    jobsOnHold: () => 0,
    databaseSilentMs: () => 0,
    alerting: () => undefined,
    spool: () => NO_SPOOL,
    ...given,
  })
  return {
    stats,
    triggerStats,
    /** The lines of a metric, without its name. */
    async lines(name: string): Promise<string[]> {
      const text = await registry.metrics()
      return text
        .split('\n')
        .flatMap((line) => (line.startsWith(`${name}{`) ? [line.slice(name.length)] : []))
    },
  }
}
