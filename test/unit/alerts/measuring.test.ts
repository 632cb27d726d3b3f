import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { measure, type Observed } from '../../../src/alerts/measuring.js'
import type { WorkerState } from '../../../src/alerts/metrics.js'
import { POLICY_DEFAULTS, type PolicySettings } from '../../../src/alerts/policy.js'
import { NO_ADAPTER } from '../../../src/sla/counters.js'
import { emptyHistogram } from '../../../src/sla/histogram.js'
import type { TriggerStatus } from '../../../src/trigger/trigger-status.js'

const NOW = new Date('2026-01-31T08:00:00Z')
const LONG_AGO = new Date('2025-01-01T00:00:00Z')
const adapter = (id: string, kind = 'kafka', createdAt = LONG_AGO) => ({ id, name: id, kind, createdAt })
const sums = (calls: number, errors: number, held = 0) => ({
  ...{ calls, errors, held, sumMs: calls, maxMs: calls > 0 ? 1 : 0 },
  histogram: emptyHistogram(),
})

const worker = (name: string, given: Partial<WorkerState> = {}): WorkerState => ({
  ...{ worker: name, silentMs: 1000, recordsWaiting: 0, pollAgeMs: 500, circuits: {} },
  triggers: {},
  ...given,
})

/** What is measured of each subject of a policy. */
function measured(
  given: Partial<PolicySettings>,
  {
    counters = {},
    ...seen
  }: Partial<Omit<Observed, 'counters'>> & { counters?: Record<string, ReturnType<typeof sums>> },
) {
  const policy: PolicySettings = {
    ...POLICY_DEFAULTS,
    ...{ name: 'p', metric: 'error_rate', operator: 'above', threshold: 0, windowMinutes: 5 },
    ...given,
  }
  const { windowMinutes, operation, processId } = policy
  const observed: Observed = {
    now: NOW,
    adapters: [adapter('a'), adapter('b', 'rocketmq')],
    workers: [],
    triggers: [],
    heartbeatsCount: true,
    counters: new Map([
      [JSON.stringify([windowMinutes, operation, processId]), new Map(Object.entries(counters))],
    ]),
    ...seen,
  }
  return measure(policy, observed).map(({ subject, measured }) => [subject.key, measured])
}

describe('what is measured of calls', () => {
  it('is measured of each adapter', () => {
    const counters = { a: sums(10, 5), b: sums(4, 1) }
    assert.deepEqual(measured({}, { counters }), [
      ['a', 0.5],
      ['b', 0.25],
    ])
  })

  it('is measured of the adapters and the kind in scope only', () => {
    const counters = { a: sums(10, 5), b: sums(4, 1) }
    assert.deepEqual(measured({ adapterIds: ['b'] }, { counters }), [['b', 0.25]])
    assert.deepEqual(measured({ adapterKind: 'kafka' }, { counters }), [['a', 0.5]])
  })

  it('is measured in total, with calls that named no adapter', () => {
    const counters = { a: sums(10, 5), b: sums(4, 1), [NO_ADAPTER]: sums(6, 6) }
    assert.deepEqual(measured({ metric: 'errors', inTotal: true }, { counters }), [['', 12]])
    assert.deepEqual(measured({ metric: 'errors', inTotal: true, adapterKind: 'kafka' }, { counters }), [
      ['', 5],
    ])
  })

  it('is nothing for an error rate without calls', () => {
    assert.deepEqual(measured({ adapterIds: ['a'] }, {}), [['a', 'none']])
  })

  it('is not known for an error rate while jobs are given back without a call', () => {
    assert.deepEqual(measured({ adapterIds: ['a'] }, { counters: { a: sums(0, 0, 3) } }), [['a', 'unknown']])
  })

  it('is zero for calls and errors without any', () => {
    for (const metric of ['calls', 'errors', 'held'] as const)
      assert.deepEqual(measured({ metric, adapterIds: ['a'] }, {}), [['a', 0]])
  })

  it('is nothing for too few calls of an adapter that is younger than the window', () => {
    const adapters = [adapter('new', 'kafka', new Date(NOW.getTime() - 60_000))]
    assert.deepEqual(measured({ metric: 'calls', operator: 'below' }, { adapters }), [['new', 'none']])
    assert.deepEqual(measured({ metric: 'calls', operator: 'above' }, { adapters }), [['new', 0]])
  })
})

describe('what is measured of circuits', () => {
  const open = { metric: 'circuit_open', windowMinutes: null } as const

  it('is the number of workers that find the broker out of reach', () => {
    const workers = [
      worker('1', { circuits: { a: 'open', b: 'closed' } }),
      worker('2', { circuits: { a: 'half-open' } }),
      worker('3'),
    ]
    assert.deepEqual(measured(open, { workers }), [
      ['a', 2],
      ['b', 0],
    ])
  })

  it('leaves out workers that are silent', () => {
    const workers = [worker('1', { circuits: { a: 'open' }, silentMs: 30_000 }), worker('2')]
    assert.deepEqual(measured({ ...open, adapterIds: ['a'] }, { workers }), [['a', 0]])
  })

  it('is not known while all workers are silent', () => {
    const workers = [worker('1', { circuits: { a: 'open' }, silentMs: 30_000 })]
    assert.deepEqual(measured({ ...open, adapterIds: ['a'] }, { workers }), [['a', 'unknown']])
  })

  it('is in total the number of adapters with an open circuit', () => {
    const workers = [
      worker('1', { circuits: { a: 'open' } }),
      worker('2', { circuits: { a: 'open', b: 'open' } }),
    ]
    assert.deepEqual(measured({ ...open, inTotal: true }, { workers }), [['', 2]])
  })
})

describe('what is measured of workers', () => {
  const now = { windowMinutes: null } as const

  it('is the silence of each', () => {
    const workers = [worker('1', { silentMs: 40_000 }), worker('2')]
    assert.deepEqual(measured({ ...now, metric: 'worker_silence' }, { workers }), [
      ['1', 40],
      ['2', 1],
    ])
  })

  it('is the number of those that live', () => {
    const workers = [worker('1', { silentMs: 40_000 }), worker('2')]
    assert.deepEqual(measured({ ...now, metric: 'workers' }, { workers }), [['', 1]])
  })

  it('is the time since the engine answered, up to now', () => {
    const workers = [worker('1', { pollAgeMs: 61_000 }), worker('2', { pollAgeMs: null })]
    assert.deepEqual(measured({ ...now, metric: 'poll_age' }, { workers }), [
      ['1', 62],
      ['2', 'none'],
    ])
  })

  it('is not known while heartbeats may be missing for want of Postgres', () => {
    const workers = [worker('1', { silentMs: 40_000 })]
    for (const metric of ['worker_silence', 'workers', 'spool_depth'] as const)
      assert.deepEqual(
        measured({ ...now, metric }, { workers, heartbeatsCount: false }).map(([, value]) => value),
        ['unknown'],
      )
  })
})

describe('what is measured of triggers', () => {
  const trigger = (given: Partial<Observed['triggers'][number]> = {}): Observed['triggers'][number] => ({
    ...{ id: 't', name: 'orders', adapterId: 'a', state: 'running', deadLetters: 0 },
    ...given,
  })
  const consuming = (given: Partial<TriggerStatus> = {}): Partial<WorkerState> => ({
    triggers: {
      t: {
        ...{ state: 'consuming', reason: null, topics: ['x'], queues: 1, handling: 0 },
        ...{ pollAgeMs: 500, lag: { x: 1 } },
        ...given,
      },
    },
  })

  it('is the lag of all workers together, as far as they live', () => {
    const workers = [
      worker('one', consuming({ lag: { x: 3, y: 4 } })),
      worker('two', consuming({ lag: { x: 5 } })),
      worker('dead', { ...consuming({ lag: { x: 100 } }), silentMs: 60_000 }),
    ]
    assert.deepEqual(measured({ metric: 'trigger_lag' }, { triggers: [trigger()], workers }), [['t', 12]])
  })

  it('is no lag that anybody knows while nobody consumes', () => {
    assert.deepEqual(measured({ metric: 'trigger_lag' }, { triggers: [trigger()] }), [['t', 'unknown']])
    assert.deepEqual(measured({ metric: 'trigger_lag' }, { triggers: [trigger({ state: 'stopped' })] }), [
      ['t', 'none'],
    ])
  })

  it('is the silence towards the worker that was answered last', () => {
    const workers = [
      worker('one', consuming({ pollAgeMs: 90_000 })),
      worker('two', consuming({ pollAgeMs: 4000 })),
    ]
    assert.deepEqual(measured({ metric: 'trigger_silence' }, { triggers: [trigger()], workers }), [['t', 5]])
  })

  it('is no silence while it does not ask', () => {
    const workers = [worker('one', consuming({ state: 'held', pollAgeMs: null }))]
    assert.deepEqual(measured({ metric: 'trigger_silence' }, { triggers: [trigger()], workers }), [
      ['t', 'none'],
    ])
    const paused = [trigger({ state: 'paused' })]
    assert.deepEqual(measured({ metric: 'trigger_silence' }, { triggers: paused }), [['t', 'none']])
  })

  it('is its dead letters, whether it runs or not', () => {
    const triggers = [trigger({ state: 'stopped', deadLetters: 3 })]
    assert.deepEqual(measured({ metric: 'dead_letters' }, { triggers }), [['t', 3]])
  })

  it('is measured of those that listen to adapters in scope', () => {
    const triggers = [trigger(), trigger({ id: 'u', adapterId: 'b', deadLetters: 1 })]
    assert.deepEqual(measured({ metric: 'dead_letters', adapterKind: 'rocketmq' }, { triggers }), [['u', 1]])
  })
})
