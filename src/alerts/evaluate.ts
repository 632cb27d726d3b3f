import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Log } from '../core/log.js'
import type { Database } from '../db/database.js'
import { Timestamp } from '../db/row-types.js'
import type { Session } from '../db/session.js'
import type { KeptResolutions } from '../sla/time-pieces.js'
import { nextStep } from './alert-state.js'
import { AlertWriter, type OpenAlert, openAlerts } from './alert-writer.js'
import { measure, observe } from './measuring.js'
import { metricOf } from './metrics.js'
import { enabledPolicies } from './policies.js'
import type { AlertPolicy } from './policy.js'
import { alertSilences, isSilenced } from './silences.js'
import { recoveredText } from './wording.js'

/** Policies are held against what is measured this often. */
export const EVALUATE_EVERY_MS = 3000
/** After so long without an evaluation nobody knows whether a condition went on to hold: pending alerts begin anew. */
const UNWATCHED_MS = 60_000
/** A worker that loses Postgres in the middle must not keep the others waiting. */
const CUT_OFF_MS = 5000

const Turn = Type.Object({ now: Timestamp, gapMs: Type.Number() })

export interface EvaluateOptions {
  kept: KeptResolutions
  /** False when heartbeats may be missing for want of Postgres, not of workers. */
  heartbeatsCount: boolean
  log: Log
}

/**
 * Holds every policy against what is measured, once, if it is time and no other worker is at it. Alerts and what people
 * are to be told of them change together or not at all: a worker that dies in the middle leaves all to the next.
 * @returns whether it was this worker's turn
 */
export async function evaluate(database: Database, options: EvaluateOptions): Promise<boolean> {
  const news: (() => void)[] = []
  const isDone = await database.transaction(async (session) => {
    await session.query(`SET LOCAL idle_in_transaction_session_timeout = ${CUT_OFF_MS}`)
    const [row] = await session.query(
      `SELECT now() AS now, extract(epoch FROM now() - evaluated_at)::double precision * 1000 AS "gapMs"
       FROM alert_evaluation WHERE evaluated_at <= now() - $1::int * interval '1 ms' FOR UPDATE SKIP LOCKED`,
      [EVALUATE_EVERY_MS],
    )
    if (!row) return false
    const { now, gapMs } = Value.Parse(Turn, row)
    const isWatched = gapMs < UNWATCHED_MS
    if (!isWatched) await session.query(`UPDATE alert SET since = now() WHERE state = 'pending'`)
    const heartbeatsCount = options.heartbeatsCount && isWatched
    await evaluateAll(session, now, { ...options, heartbeatsCount }, (tell) => news.push(tell))
    await session.query('UPDATE alert_evaluation SET evaluated_at = now()')
    return true
  })
  for (const tell of news) tell()
  return isDone
}

async function evaluateAll(
  session: Session,
  now: Date,
  { kept, heartbeatsCount, log }: EvaluateOptions,
  onCommit: (tell: () => void) => void,
): Promise<void> {
  const policies = await enabledPolicies(session)
  const silences = await alertSilences(session, { over: false })
  const observed = await observe(session, policies, { now, kept, heartbeatsCount })
  const left = new Map(
    (await openAlerts(session)).map((alert) => [keyOf(alert.policyId, alert.subject), alert]),
  )
  const writer = new AlertWriter(session, now)

  for (const policy of policies) {
    for (const { subject, measured } of measure(policy, observed)) {
      const key = keyOf(policy.id, subject.key)
      const open = left.get(key)
      // What fired for another metric is another alert; this one's turn comes with the next evaluation.
      if (open && open.metric !== policy.metric) continue
      left.delete(key)
      const { id: policyId, severity } = policy
      const silenced = isSilenced(silences, { policyId, adapterId: subject.adapterId, severity }, now)
      const step = nextStep(policy, open, measured, now)
      switch (step.kind) {
        case 'begin':
          await writer.begin(policy, subject)
          break
        case 'drop':
          if (open) await writer.drop(open)
          break
        case 'fire': {
          const { since, value } = step
          const text = await writer.fire(policy, subject, open, { since, value, silenced })
          onCommit(() => log.warn('an alert fires', { policy: policy.name, silenced, text }))
          break
        }
        case 'resolve': {
          if (!open) break
          const text = recoveredText(policy, subject, step.value)
          await writer.resolve(open, text, step.value)
          onCommit(() => log.info('an alert is resolved', { policy: policy.name, text }))
          break
        }
        case 'stay':
          if (open?.state === 'firing' && open.silenced && !silenced) await writer.unsilence(open)
          break
      }
    }
  }
  for (const alert of left.values()) {
    const because = reasonOf(alert, policies)
    if (alert.state === 'pending') {
      await writer.drop(alert)
      continue
    }
    await writer.resolve(alert, because, null)
    onCommit(() => log.info('an alert is resolved', { policy: alert.policyName, text: because }))
  }
}

function keyOf(policyId: string | null, subject: string): string {
  return `${policyId}\n${subject}`
}

/** Why an alert is over that no policy is about any more. */
function reasonOf(
  { policyId, metric, adapterName, subject }: OpenAlert,
  policies: readonly AlertPolicy[],
): string {
  if (policyId === null) return 'The policy was deleted.'
  const policy = policies.find(({ id }) => id === policyId)
  if (!policy) return 'The policy was disabled.'
  if (policy.metric !== metric) return `The policy is about another metric now: ${policy.metric}.`
  if (adapterName !== null)
    return `Adapter "${adapterName}" is deleted, disabled or no longer in the scope of the policy.`
  if (metricOf(policy.metric).of === 'worker')
    return `Worker "${subject}" has ended, or was unheard of for an hour.`
  return 'The scope of the policy has changed.'
}
