import type { CircuitPosition } from '../brokers/circuit.js'
import type { Measures } from '../sla/measures.js'
import type { TriggerState } from '../trigger/trigger.js'
import type { TriggerStatus } from '../trigger/trigger-status.js'

/**
 * What a metric says of one subject. `none`: there is nothing to measure, as of an adapter without calls, which counts as
 * recovered. `unknown`: nobody can tell just now; an alert stays as it is.
 */
export type Measured = number | 'none' | 'unknown'

/** The state of one worker as its latest heartbeat told it. */
export interface WorkerState {
  worker: string
  /** Time since the heartbeat. */
  silentMs: number
  recordsWaiting: number
  /** Time since the engine answered a poll, or since its start, as of the heartbeat; null: all slots were taken. */
  pollAgeMs: number | null
  /** Of the adapters it has connected to, by name. */
  circuits: Record<string, CircuitPosition>
  /** By id. */
  triggers: Record<string, TriggerStatus>
}

/** A trigger, as the workers that live tell of it. */
export interface ObservedTrigger {
  state: TriggerState
  /** Of each live worker that has it. */
  workers: (TriggerStatus & { silentMs: number })[]
  /** That wait. */
  deadLetters: number
}

/** A heartbeat older than this tells nothing of how its worker is now. */
const FRESH_MS = 20_000

/** In words, for help. */
export const UNITS = { share: 'share, 0 to 1', count: 'number', ms: 'milliseconds', s: 'seconds' }
export type Unit = keyof typeof UNITS

interface About {
  /** How sentences begin. */
  label: string
  unit: Unit
  /** What is measured, for help. */
  text: string
}

/**
 * What policies may be about: the calls of an adapter within a window; the circuit of an adapter; each trigger; each
 * worker; all workers together.
 */
export type Metric = About &
  (
    | { of: 'calls'; read: (measures: Measures) => Measured }
    | { of: 'circuits'; read: (openAt: number) => Measured }
    | { of: 'trigger'; read: (trigger: ObservedTrigger) => Measured }
    | { of: 'worker'; read: (state: WorkerState) => Measured }
    | { of: 'workers'; read: (states: readonly WorkerState[]) => Measured }
  )

/** What each kind is measured of, in words. */
export const SCOPES: Record<Metric['of'], string> = {
  calls: 'each adapter in a window, or --total',
  circuits: 'each adapter now, or --total',
  trigger: 'each trigger now',
  worker: 'each worker now',
  workers: 'all workers now',
}

/** All there are: a new one is a line here and one in docs/alerts.md, which a test holds together. */
export const METRICS = {
  error_rate: perCall('Error rate', 'share', 'errors per call', ({ errorRate }) => errorRate),
  errors: calls('Errors', 'calls that failed', ({ errors }) => errors),
  calls: calls('Calls', 'calls, failed ones too', (measures) => measures.calls),
  held: calls('Jobs given back', 'jobs given back without a call', ({ held }) => held),
  p50: perCall('Median duration', 'ms', 'half of the calls take no longer', ({ p50Ms }) => p50Ms),
  p95: perCall('95 % duration', 'ms', '95 % of the calls take no longer', ({ p95Ms }) => p95Ms),
  p99: perCall('99 % duration', 'ms', '99 % of the calls take no longer', ({ p99Ms }) => p99Ms),
  circuit_open: circuits('Open circuits', 'workers that find its broker out of reach', (openAt) => openAt),
  trigger_lag: trigger('Lag', 'count', 'messages not consumed yet', lag),
  trigger_silence: trigger(
    'Silence of the broker',
    's',
    'since it last answered a request for messages',
    silence,
  ),
  dead_letters: trigger('Dead letters', 'count', 'dead letters that wait', ({ deadLetters }) => deadLetters),
  spool_depth: worker('Waiting records', 'count', 'records waiting for Postgres', (of) => of.recordsWaiting),
  poll_age: worker('Age of the last poll', 's', 'since the engine last answered a poll', pollAge),
  worker_silence: worker('Silence', 's', 'since its last heartbeat', ({ silentMs }) => silentMs / 1000),
  workers: workers('Live workers', 'heard of in the last 20 s', (all) => all.filter(isFresh).length),
} satisfies Record<string, Metric>

export type MetricName = keyof typeof METRICS

export function metricOf(name: MetricName): Metric {
  return METRICS[name]
}

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name)
}

export function isFresh({ silentMs }: WorkerState): boolean {
  return silentMs <= FRESH_MS
}

function calls(label: string, text: string, read: (measures: Measures) => number): Metric {
  return { of: 'calls', label, unit: 'count', text, read }
}

/** What calls are like, which nobody knows without any; jobs given back say that the broker is no better yet. */
function perCall(label: string, unit: Unit, text: string, read: (measures: Measures) => number): Metric {
  const ifCalled = (measures: Measures): Measured => {
    if (measures.calls > 0) return read(measures)
    return measures.held > 0 ? 'unknown' : 'none'
  }
  return { of: 'calls', label, unit, text, read: ifCalled }
}

function circuits(label: string, text: string, read: (openAt: number) => Measured): Metric {
  return { of: 'circuits', label, unit: 'count', text, read }
}

function trigger(
  label: string,
  unit: Unit,
  text: string,
  read: (trigger: ObservedTrigger) => Measured,
): Metric {
  return { of: 'trigger', label, unit, text, read }
}

/** Of all partitions that somebody holds. */
function lag({ state, workers }: ObservedTrigger): Measured {
  if (state === 'stopped') return 'none'
  const behind = workers.flatMap(({ lag }) => Object.values(lag))
  return behind.length === 0 ? 'unknown' : behind.reduce((sum, count) => sum + count, 0)
}

/** Of the worker that the broker has answered last. */
function silence({ state, workers }: ObservedTrigger): Measured {
  if (state !== 'running') return 'none'
  if (workers.length === 0) return 'unknown'
  const ages = workers.flatMap(({ pollAgeMs, silentMs }) =>
    pollAgeMs === null ? [] : [pollAgeMs + silentMs],
  )
  return ages.length === 0 ? 'none' : Math.min(...ages) / 1000
}

function worker(label: string, unit: Unit, text: string, read: (state: WorkerState) => Measured): Metric {
  return { of: 'worker', label, unit, text, read }
}

function workers(label: string, text: string, read: (states: readonly WorkerState[]) => Measured): Metric {
  return { of: 'workers', label, unit: 'count', text, read }
}

function pollAge(state: WorkerState): Measured {
  if (!isFresh(state)) return 'unknown'
  return state.pollAgeMs === null ? 'none' : (state.pollAgeMs + state.silentMs) / 1000
}
