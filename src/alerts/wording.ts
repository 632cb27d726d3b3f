import { metricOf, type Unit } from './metrics.js'
import { OPERATORS, type PolicySettings } from './policy.js'

/** What an alert is about. */
export interface Subject {
  /** What tells the alerts of one policy apart: id of an adapter, name of a worker, or empty. */
  key: string
  adapterId: string | null
  adapterName: string | null
  /** For people, such as `adapter "orders"`. */
  label: string
}

/** Such as `Error rate of adapter "orders" is 12.5 % (> 5 %) over the last 5 min, for 1 min or longer.` */
export function firingText(policy: PolicySettings, subject: Subject, value: number): string {
  const duration = policy.forSeconds === 0 ? '' : `, for ${durationText(policy.forSeconds)} or longer`
  return `${measured(policy, subject, value)} (${limitText(policy, policy.threshold)})${windowText(policy, ' over the last ')}${duration}.`
}

/** @param value null: there is nothing to measure any more. */
export function recoveredText(policy: PolicySettings, subject: Subject, value: number | null): string {
  const { label } = metricOf(policy.metric)
  if (value === null) return `${label} of ${subject.label}: there is nothing to measure any more.`
  const { threshold, recoveryThreshold } = policy
  return `${measured(policy, subject, value)} again (no longer ${limitText(policy, recoveryThreshold ?? threshold)})${windowText(policy, ' over the last ')}.`
}

/** The condition of a policy, such as `error_rate > 5 % in 5 min for 1 min`. */
export function conditionText(policy: PolicySettings): string {
  const duration = policy.forSeconds === 0 ? '' : ` for ${durationText(policy.forSeconds)}`
  return `${policy.metric} ${limitText(policy, policy.threshold)}${windowText(policy, ' in ')}${duration}`
}

function measured({ metric }: PolicySettings, subject: Subject, value: number): string {
  const { label, unit } = metricOf(metric)
  return `${label} of ${subject.label} is ${valueText(value, unit)}`
}

function limitText({ metric, operator }: PolicySettings, limit: number): string {
  return `${OPERATORS[operator].sign} ${valueText(limit, metricOf(metric).unit)}`
}

function windowText({ windowMinutes }: PolicySettings, before: string): string {
  return windowMinutes === null ? '' : `${before}${durationText(windowMinutes * 60)}`
}

export function valueText(value: number, unit: Unit): string {
  switch (unit) {
    case 'share':
      return `${rounded(value * 100)} %`
    case 'count':
      return rounded(value)
    case 'ms':
      return `${rounded(value)} ms`
    case 's':
      return `${rounded(value)} s`
  }
}

function rounded(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 2 : 1)))
}

/** Such as `90 s`, `5 min` or `2 h`. */
export function durationText(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
