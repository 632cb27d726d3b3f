import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Alerting } from '../alerts/alerting.js'
import type { SpoolState } from '../audit/spool/spool.js'
import { CIRCUIT_POSITIONS } from '../brokers/circuit.js'
import type { Connections } from '../brokers/connections.js'
import type { JobWorker } from '../engine/engine.js'
import type { WorkerStats } from '../sla/worker-stats.js'
import { durationsOf, GivenHistogram, sumOf } from './given-histogram.js'
import { addTriggerMetrics, type TriggerMetricsSource } from './trigger-metrics.js'

export interface MetricsSource extends TriggerMetricsSource {
  stats: WorkerStats
  connections: Pick<Connections, 'circuits' | 'loads'>
  /** Undefined before it was started, and once it stops. */
  worker: () => Pick<JobWorker, 'inFlight' | 'lastPollAgeMs'> | undefined
  maxInFlight: number
  recordsWaiting: () => number
  jobsOnHold: () => number
  databaseSilentMs: () => number
  /** Undefined before it was started. */
  alerting: () => Pick<Alerting, 'firing' | 'evaluationAgeMs'> | undefined
  spool: () => SpoolState
}

/**
 * Everything `/metrics` tells. All of it is read when it is asked for: the road of a job knows nothing of Prometheus.
 * Labels are names of adapters, operations and task types, never ids of jobs or processes.
 */
export function createMetrics(source: MetricsSource): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const { stats, connections } = source

  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `bpmn_relay_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })

  new Counter({
    name: 'bpmn_relay_outbound_invocations_total',
    help: 'Calls by how they ended: completed, rejected (permanent), failed (passing), held (given back, no call), repeated (redelivery of a publish already recorded).',
    labelNames: ['adapter', 'operation', 'action'],
    registers,
    collect() {
      this.reset()
      for (const { adapter, operation, ended } of stats.calls())
        for (const [action, count] of Object.entries(ended)) this.inc({ adapter, operation, action }, count)
    },
  })
  registry.registerMetric(
    new GivenHistogram(
      {
        name: 'bpmn_relay_outbound_execution_time_seconds',
        help: 'Time of a call from the arrival of its job to the answer of the broker.',
        labelNames: ['adapter', 'operation'],
      },
      () =>
        stats.calls().map((line) => durationsOf({ adapter: line.adapter, operation: line.operation }, line)),
    ),
  )
  new Counter({
    name: 'bpmn_relay_worker_job_activated_total',
    help: 'Jobs taken from the engine.',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset()
      for (const [type, { activated }] of stats.jobs()) this.inc({ type }, activated)
    },
  })
  new Counter({
    name: 'bpmn_relay_worker_job_handled_total',
    help: 'Jobs done with, whatever the engine said to it.',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset()
      for (const [type, { handled }] of stats.jobs()) this.inc({ type }, handled)
    },
  })
  new Counter({
    name: 'bpmn_relay_worker_job_settled_total',
    help: 'What the engine answered to complete, fail or bpmnError: accepted, gone (it refused: the job is no longer ours) or unanswered.',
    labelNames: ['action', 'answer'],
    registers,
    collect() {
      this.reset()
      for (const [action, answers] of stats.settlements())
        for (const [answer, count] of Object.entries(answers)) this.inc({ action, answer }, count)
    },
  })
  new Gauge({
    name: 'bpmn_relay_adapter_circuit_state',
    help: '1 for the state the circuit of the adapter is in: closed, open or half-open.',
    labelNames: ['adapter', 'state'],
    registers,
    collect() {
      this.reset()
      for (const [adapter, { position }] of connections.circuits())
        for (const state of CIRCUIT_POSITIONS) this.set({ adapter, state }, state === position ? 1 : 0)
    },
  })
  new Gauge({
    name: 'bpmn_relay_adapter_sends_in_flight',
    help: 'Messages handed to the broker, or waiting in line for it, without an answer yet.',
    labelNames: ['adapter'],
    registers,
    collect() {
      this.reset()
      for (const [adapter, { inFlight }] of connections.loads()) this.set({ adapter }, inFlight)
    },
  })
  new Gauge({
    name: 'bpmn_relay_adapter_rate_limit_waiting',
    help: 'Messages that wait for their turn under the rate limit of the adapter.',
    labelNames: ['adapter'],
    registers,
    collect() {
      this.reset()
      for (const [adapter, { waiting }] of connections.loads()) this.set({ adapter }, waiting)
    },
  })
  registry.registerMetric(
    new GivenHistogram(
      { name: 'bpmn_relay_record_batch_size', help: 'Calls recorded by one statement.', labelNames: [] },
      () => {
        const { buckets, batches, items } = stats.recordBatches
        const upTo = buckets.map((_, i) => ({ le: 2 ** i, count: sumOf(buckets.slice(0, i + 1)) }))
        return [{ labels: {}, buckets: upTo, count: batches, sum: items }]
      },
    ),
  )
  gauge('records_waiting', 'Records that wait for the next statement to Postgres.', source.recordsWaiting)
  gauge('jobs_on_hold', 'Jobs given back that the engine hands out again later.', source.jobsOnHold)
  gauge('jobs_in_flight', 'Jobs in hand.', () => source.worker()?.inFlight ?? 0)
  gauge('jobs_in_flight_limit', 'Jobs in hand at most.', () => source.maxInFlight)
  gauge(
    'last_poll_age_seconds',
    'Time since the engine last answered a poll, of the task type where it is longest; +Inf before the first.',
    () => (source.worker()?.lastPollAgeMs() ?? Number.POSITIVE_INFINITY) / 1000,
  )
  gauge(
    'database_silent_seconds',
    'Time since Postgres last answered a statement.',
    () => source.databaseSilentMs() / 1000,
  )
  gauge('spool_records', 'Records that wait in the spool for Postgres.', () => source.spool().records)
  gauge('spool_bytes', 'Bytes that wait in the spool.', () => source.spool().bytes)
  gauge(
    'spool_oldest_age_seconds',
    'Age of the oldest record in the spool; 0: it is empty.',
    () => source.spool().oldestAgeMs / 1000,
  )
  new Gauge({
    name: 'bpmn_relay_alerts_firing',
    help: 'Alerts that fire, of the whole deployment: every worker tells the same.',
    labelNames: ['severity'],
    registers,
    collect() {
      this.reset()
      for (const [severity, count] of Object.entries(source.alerting()?.firing() ?? {}))
        this.set({ severity }, count)
    },
  })
  gauge(
    'alert_evaluation_age_seconds',
    'Time since any worker has evaluated the alert policies; 0 without a policy.',
    () => (source.alerting()?.evaluationAgeMs() ?? 0) / 1000,
  )
  addTriggerMetrics(registry, source)
  return registry
}
