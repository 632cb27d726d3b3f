import { RelayError } from '../core/errors.js'
import { checkName } from '../core/names.js'
import { isMetricName, METRICS, type MetricName, metricOf } from './metrics.js'
import { SEVERITIES, type Severity } from './notice.js'

export const OPERATORS = {
  above: { sign: '>', holds: (value: number, limit: number) => value > limit },
  'at-least': { sign: '≥', holds: (value: number, limit: number) => value >= limit },
  below: { sign: '<', holds: (value: number, limit: number) => value < limit },
  'at-most': { sign: '≤', holds: (value: number, limit: number) => value <= limit },
} as const
export type Operator = keyof typeof OPERATORS

/** What a policy watches for and whom it tells. */
export interface PolicySettings {
  /** Unique. */
  name: string
  description: string
  enabled: boolean
  metric: MetricName
  operator: Operator
  /** In the unit of the metric. */
  threshold: number
  /** What a firing alert resolves at: where the operator no longer holds with it. Null: the threshold. */
  recoveryThreshold: number | null
  /** The running minute and as many whole ones before it; null for metrics that tell of now. */
  windowMinutes: number | null
  /** How long the condition must hold before an alert fires. */
  forSeconds: number
  severity: Severity
  /** Empty: all adapters. */
  adapterIds: string[]
  adapterKind: string | null
  operation: string | null
  processId: string | null
  /** One alert for all adapters taken together, instead of one each. */
  inTotal: boolean
  owners: string[]
  /** Names of the notifiers that are told. */
  notifiers: string[]
}

export interface AlertPolicy extends PolicySettings {
  id: string
  /** Kept by `bpmn-relay apply`. */
  managed: boolean
  createdAt: Date
  updatedAt: Date
}

const DEFAULT_WINDOW_MINUTES = 5
const LONGEST_WINDOW_MINUTES = 24 * 60
const LONGEST_FOR_SECONDS = 24 * 60 * 60
/** Heartbeats come every five seconds: less silence than this means nothing. */
const LEAST_SILENCE_SECONDS = 15
/** Workers unheard of for longer are forgotten. */
export const MOST_SILENCE_SECONDS = 3600

/** What is not said of a policy. */
export const POLICY_DEFAULTS = {
  description: '',
  enabled: true,
  recoveryThreshold: null,
  windowMinutes: null,
  forSeconds: 0,
  severity: 'warning',
  adapterIds: [],
  adapterKind: null,
  operation: null,
  processId: null,
  inTotal: false,
  owners: [],
  notifiers: [],
} satisfies Partial<PolicySettings>

/** @throws RelayError SETTINGS_INVALID */
export function parseMetric(text: string): MetricName {
  if (isMetricName(text)) return text
  throw invalid(`metric "${text}" is not known: use one of ${Object.keys(METRICS).join(', ')}`)
}

/** @throws RelayError SETTINGS_INVALID */
export function parseOperator(text: string): Operator {
  const found = keysOf(OPERATORS).find((name) => name === text || OPERATORS[name].sign === text)
  if (found) return found
  throw invalid(`operator "${text}" is not known: use one of ${Object.keys(OPERATORS).join(', ')}`)
}

/** @throws RelayError SETTINGS_INVALID */
export function parseSeverity(text: string): Severity {
  const found = SEVERITIES.find((severity) => severity === text)
  if (found) return found
  throw invalid(`severity "${text}" is not known: use one of ${SEVERITIES.join(', ')}`)
}

function keysOf<T extends object>(object: T): (keyof T)[] {
  const keys: (keyof T)[] = []
  for (const key in object) keys.push(key)
  return keys
}

/**
 * The settings as they are kept: a window only where the metric has one.
 * @throws RelayError SETTINGS_INVALID naming the setting, its value and what would be right
 */
export function checkedPolicy<Given extends PolicySettings>(given: Given): Given {
  checkName(given.name)
  const metric = metricOf(given.metric)
  checkLimits(given)
  checkScope(given)
  const windowMinutes = metric.of === 'calls' ? (given.windowMinutes ?? DEFAULT_WINDOW_MINUTES) : null
  if (metric.of !== 'calls' && given.windowMinutes !== null) {
    throw invalid(`window: ${given.metric} tells of now and has no window; use the for-duration instead`)
  }
  checkWhole('window', windowMinutes ?? 1, 1, LONGEST_WINDOW_MINUTES, 'minutes')
  checkWhole('for-duration', given.forSeconds, 0, LONGEST_FOR_SECONDS, 'seconds')
  return { ...given, windowMinutes, notifiers: [...new Set(given.notifiers)] }
}

function checkLimits({ metric, operator, threshold, recoveryThreshold }: PolicySettings): void {
  const limits: [string, number | null][] = [
    ['threshold', threshold],
    ['recovery threshold', recoveryThreshold],
  ]
  for (const [name, value] of limits) {
    if (value === null) continue
    if (!Number.isFinite(value) || value < 0) throw invalid(`${name} is ${value}: use a number, 0 or more`)
    if (metricOf(metric).unit === 'share' && value > 1) {
      throw invalid(`${name} is ${value}: ${metric} goes from 0 to 1; write 5 % as 0.05 or 5%`)
    }
  }
  const isAbove = operator === 'above' || operator === 'at-least'
  if (
    recoveryThreshold !== null &&
    (isAbove ? recoveryThreshold > threshold : recoveryThreshold < threshold)
  ) {
    throw invalid(
      `recovery threshold is ${recoveryThreshold}: with ${operator} ${threshold} it must be ${isAbove ? 'at most' : 'at least'} ${threshold}, or the alert would resolve while its condition holds`,
    )
  }
  if (
    metric === 'worker_silence' &&
    (threshold < LEAST_SILENCE_SECONDS || threshold >= MOST_SILENCE_SECONDS)
  ) {
    throw invalid(
      `threshold is ${threshold}: heartbeats come every 5 s and a worker is forgotten after an hour; use ${LEAST_SILENCE_SECONDS} to ${MOST_SILENCE_SECONDS - 1} seconds`,
    )
  }
}

function checkScope({
  metric,
  adapterIds,
  adapterKind,
  operation,
  processId,
  inTotal,
}: PolicySettings): void {
  const { of } = metricOf(metric)
  if (inTotal && of === 'trigger') throw invalid(`${metric} is about each trigger: it takes no total`)
  const ofAdapters = of === 'calls' || of === 'circuits' || of === 'trigger'
  if (!ofAdapters && (adapterIds.length > 0 || adapterKind !== null || inTotal)) {
    throw invalid(`${metric} is about workers: it takes no adapter, kind or total`)
  }
  if (of !== 'calls' && (operation !== null || processId !== null)) {
    throw invalid(`${metric} is not about calls: it takes no operation or process`)
  }
}

function checkWhole(name: string, value: number, least: number, most: number, unit: string): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw invalid(`${name} is ${value} ${unit}: use whole ${unit}, ${least} to ${most}`)
}

function invalid(message: string): RelayError {
  return new RelayError('SETTINGS_INVALID', message)
}
