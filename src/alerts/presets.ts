import { RelayError } from '../core/errors.js'
import { POLICY_DEFAULTS, type PolicySettings } from './policy.js'

type Chosen = Pick<PolicySettings, 'name' | 'description' | 'metric' | 'operator' | 'threshold'>

const preset = (given: Chosen & Partial<PolicySettings>): PolicySettings => ({ ...POLICY_DEFAULTS, ...given })

/** Ready-made policies. None is there until it is chosen. */
export const PRESETS: readonly PolicySettings[] = [
  preset({
    name: 'broker-out-of-reach',
    description: 'The broker of an adapter cannot be reached; its jobs are held.',
    ...{ metric: 'circuit_open', operator: 'above', threshold: 0, forSeconds: 30, severity: 'critical' },
  }),
  preset({
    name: 'error-rate',
    description: 'More than 5 % of the calls of an adapter fail.',
    ...{ metric: 'error_rate', operator: 'above', threshold: 0.05, recoveryThreshold: 0.02 },
    ...{ windowMinutes: 5, forSeconds: 60, severity: 'warning' },
  }),
  preset({
    name: 'nearly-all-fail',
    description: 'At least 9 of 10 calls of an adapter fail.',
    ...{ metric: 'error_rate', operator: 'at-least', threshold: 0.9, recoveryThreshold: 0.5 },
    ...{ windowMinutes: 1, forSeconds: 30, severity: 'critical' },
  }),
  preset({
    name: 'slow-calls',
    description: '5 % of the calls of an adapter take longer than 2 s.',
    ...{ metric: 'p95', operator: 'above', threshold: 2000, recoveryThreshold: 1000 },
    ...{ windowMinutes: 5, forSeconds: 120, severity: 'warning' },
  }),
  preset({
    name: 'no-calls',
    description: 'An adapter in service has had no call for an hour.',
    ...{ metric: 'calls', operator: 'below', threshold: 1, windowMinutes: 60, severity: 'info' },
  }),
  preset({
    name: 'jobs-given-back',
    description: 'Jobs of an adapter are given back a hundred times in five minutes: their processes wait.',
    ...{ metric: 'held', operator: 'above', threshold: 100, windowMinutes: 5, severity: 'warning' },
  }),
  preset({
    name: 'worker-silent',
    description: 'A worker has ended without saying so, hangs, or has lost Postgres.',
    ...{ metric: 'worker_silence', operator: 'above', threshold: 30, severity: 'critical' },
  }),
  preset({
    name: 'few-workers',
    description: 'Fewer than two workers live: the next one lost stops the tasks.',
    ...{ metric: 'workers', operator: 'below', threshold: 2, forSeconds: 120, severity: 'warning' },
  }),
  preset({
    name: 'engine-silent',
    description: 'A worker gets no answer from the engine.',
    ...{ metric: 'poll_age', operator: 'above', threshold: 60, severity: 'critical' },
  }),
  preset({
    name: 'dead-letters',
    description: 'A trigger has given up messages: somebody must look at them.',
    ...{ metric: 'dead_letters', operator: 'above', threshold: 0, severity: 'warning' },
  }),
  preset({
    name: 'trigger-behind',
    description: 'A trigger has more than ten thousand messages to catch up with, for five minutes.',
    ...{ metric: 'trigger_lag', operator: 'above', threshold: 10_000, recoveryThreshold: 1000 },
    ...{ forSeconds: 300, severity: 'warning' },
  }),
  preset({
    name: 'trigger-silent',
    description: 'A trigger gets no answer from its broker, or cannot join its group.',
    ...{ metric: 'trigger_silence', operator: 'above', threshold: 120, severity: 'critical' },
  }),
  preset({
    name: 'records-pile-up',
    description: 'A worker cannot write its records to Postgres as fast as they come.',
    ...{ metric: 'spool_depth', operator: 'above', threshold: 10_000, recoveryThreshold: 1000 },
    ...{ forSeconds: 60, severity: 'warning' },
  }),
]

/** @throws RelayError SETTINGS_INVALID */
export function presetNamed(name: string): PolicySettings {
  const found = PRESETS.find((preset) => preset.name === name)
  if (found) return found
  throw new RelayError(
    'SETTINGS_INVALID',
    `preset "${name}" is not known: use one of ${PRESETS.map((preset) => preset.name).join(', ')}`,
  )
}
