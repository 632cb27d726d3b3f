import { Counter, Gauge, type Registry } from 'prom-client'
import type { TriggerStats } from '../trigger/trigger-stats.js'
import { TRIGGER_STATES_IN_WORKER } from '../trigger/trigger-status.js'
import type { TriggerWorker } from '../trigger/trigger-worker.js'
import { durationsOf, GivenHistogram } from './given-histogram.js'

export interface TriggerMetricsSource {
  triggerStats: TriggerStats
  /** Undefined before it was started, and once it has stopped. */
  triggers: () => Pick<TriggerWorker, 'status' | 'deadLetters'> | undefined
}

/** What `/metrics` tells of triggers, by their names. */
export function addTriggerMetrics(
  registry: Registry,
  { triggerStats, triggers }: TriggerMetricsSource,
): void {
  const registers = [registry]
  const statuses = () => [...(triggers()?.status().values() ?? [])]

  new Counter({
    name: 'bpmn_relay_inbound_triggers_total',
    help: 'Deliveries of messages by how they ended: started, correlated, forwarded, passed-over (condition not true), skipped (cannot be read), repeated (handled already), failed (comes again), dead-letter (given up), held (begins to wait for what is away).',
    labelNames: ['trigger', 'action', 'result'],
    registers,
    collect() {
      this.reset()
      for (const { trigger, action, ended } of triggerStats.lines())
        for (const [result, count] of Object.entries(ended)) this.inc({ trigger, action, result }, count)
    },
  })
  registry.registerMetric(
    new GivenHistogram(
      {
        name: 'bpmn_relay_inbound_execution_time_seconds',
        help: 'Time of a delivery from its arrival until it was recorded.',
        labelNames: ['trigger', 'action'],
      },
      () =>
        triggerStats.lines().map((line) => durationsOf({ trigger: line.trigger, action: line.action }, line)),
    ),
  )
  new Gauge({
    name: 'bpmn_relay_trigger_state',
    help: '1 for the state the trigger is in here: consuming, paused (by a person), held (what messages need is away), waiting (for topics, its adapter, or a move of offsets) or failing (cannot join its group).',
    labelNames: ['trigger', 'state'],
    registers,
    collect() {
      this.reset()
      for (const { name: trigger, state: current } of statuses())
        for (const state of TRIGGER_STATES_IN_WORKER) this.set({ trigger, state }, state === current ? 1 : 0)
    },
  })
  new Gauge({
    name: 'bpmn_relay_trigger_lag',
    help: 'Messages not consumed yet in the partitions or queues that this worker holds.',
    labelNames: ['trigger', 'topic'],
    registers,
    collect() {
      this.reset()
      for (const { name: trigger, lag } of statuses())
        for (const [topic, count] of Object.entries(lag)) this.set({ trigger, topic }, count)
    },
  })
  new Gauge({
    name: 'bpmn_relay_trigger_messages_in_hand',
    help: 'Messages being handled.',
    labelNames: ['trigger'],
    registers,
    collect() {
      this.reset()
      for (const { name: trigger, handling } of statuses()) this.set({ trigger }, handling)
    },
  })
  new Gauge({
    name: 'bpmn_relay_trigger_last_poll_age_seconds',
    help: 'Time since the broker last answered a request for messages, or since the trigger has tried to get there; missing while it does not ask.',
    labelNames: ['trigger'],
    registers,
    collect() {
      this.reset()
      for (const { name: trigger, pollAgeMs } of statuses())
        if (pollAgeMs !== null) this.set({ trigger }, pollAgeMs / 1000)
    },
  })
  new Gauge({
    name: 'bpmn_relay_dead_letters_waiting',
    help: 'Dead letters that wait for somebody, of the whole deployment: every worker tells the same.',
    labelNames: ['trigger'],
    registers,
    collect() {
      this.reset()
      for (const [trigger, count] of triggers()?.deadLetters() ?? []) this.set({ trigger }, count)
    },
  })
}
