import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { repeating } from '../core/repeating.js'
import { pause } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import type { KeptResolutions } from '../sla/time-pieces.js'
import { forgetAlerts } from './alerts.js'
import { EVALUATE_EVERY_MS, evaluate } from './evaluate.js'
import { forgetWorkers, Heartbeat, type HeartbeatSource } from './heartbeat.js'
import type { Notifiers, Severity } from './notice.js'
import { Outbox } from './outbox.js'

const BEAT_EVERY_MS = 5000
const FORGET_EVERY_MS = 600_000
/** Without a policy this often one small statement. */
const IDLE_MS = 5000
/** Another worker is evaluating just now. */
const BUSY_MS = 500
/** After Postgres was away, until every worker has had time for a heartbeat. */
const HEARTBEATS_BACK_MS = 2.5 * BEAT_EVERY_MS

export interface AlertingOptions {
  database: Database
  notifiers: Notifiers
  self: HeartbeatSource
  kept: KeptResolutions
  /** Days that resolved alerts are kept. */
  keptDays: number
  log: Log
}

export interface Alerting {
  /** Alerts of the whole deployment that fire, as of the last look. */
  firing(): Record<Severity, number>
  /** Time since any worker has held the policies against what is measured; 0 where there is no policy. */
  evaluationAgeMs(): number
  stop(): Promise<void>
}

const count = Type.Number({ default: 0 })
const Glance = Type.Object({
  ageMs: Type.Number(),
  needed: Type.Boolean(),
  noticesDue: Type.Boolean(),
  info: count,
  warning: count,
  critical: count,
})

const GLANCE = `
SELECT extract(epoch FROM now() - evaluated_at)::double precision * 1000 AS "ageMs",
  EXISTS (SELECT FROM alert_policy WHERE enabled) OR EXISTS (SELECT FROM alert WHERE state <> 'resolved') AS needed,
  EXISTS (SELECT FROM alert_notice WHERE status = 'waiting' AND due_at <= now()) AS "noticesDue",
  firing.*
FROM alert_evaluation, LATERAL (
  SELECT count(*) FILTER (WHERE severity = 'info')::int AS info,
    count(*) FILTER (WHERE severity = 'warning')::int AS warning,
    count(*) FILTER (WHERE severity = 'critical')::int AS critical
  FROM alert WHERE state = 'firing') AS firing`

/**
 * What a worker does for alerts, all of it off the road of jobs: it tells that it lives, evaluates the policies when it
 * is time and no other worker does, and delivers notices.
 */
export function startAlerting(options: AlertingOptions): Alerting {
  const { database, notifiers, self, kept, keptDays, log } = options
  const stop = new AbortController()
  const outbox = new Outbox({ database, notifiers, log })
  const heartbeat = new Heartbeat(database, self)
  let seen: { glance: Static<typeof Glance>; at: number } | undefined
  let answersSince: number | undefined

  async function turn(): Promise<number> {
    const [row] = await database.query(GLANCE, [], 'alert-glance')
    const glance = Value.Parse(Glance, row)
    seen = { glance, at: performance.now() }
    answersSince ??= performance.now()
    if (glance.noticesDue) outbox.deliver()
    if (!glance.needed) return IDLE_MS
    if (glance.ageMs < EVALUATE_EVERY_MS) return EVALUATE_EVERY_MS - glance.ageMs
    const heartbeatsCount = performance.now() - answersSince > HEARTBEATS_BACK_MS
    if (!(await evaluate(database, { kept, heartbeatsCount, log }))) return BUSY_MS
    seen = { glance: { ...glance, ageMs: 0 }, at: performance.now() }
    outbox.deliver()
    return EVALUATE_EVERY_MS
  }

  const watching = (async () => {
    while (!stop.signal.aborted) {
      const waitMs = await turn().catch((error: unknown) => {
        if (answersSince !== undefined || !seen)
          log.warn('alert policies are not evaluated', { reason: messageOf(error) })
        answersSince = undefined
        return EVALUATE_EVERY_MS
      })
      await pause(waitMs, stop.signal)
    }
  })()

  const beat = () => heartbeat.beat()
  const onBeatError = (error: unknown) =>
    log.debug('no heartbeat could be written', { reason: messageOf(error) })
  const beating = repeating(BEAT_EVERY_MS, beat, onBeatError)
  const firstBeat = beat().catch(onBeatError)
  const forgetting = repeating(
    FORGET_EVERY_MS,
    async () => {
      await forgetWorkers(database)
      await forgetAlerts(database, keptDays)
    },
    (error) => log.warn('old alerts could not be forgotten', { reason: messageOf(error) }),
  )

  return {
    firing() {
      const { info = 0, warning = 0, critical = 0 } = seen?.glance ?? {}
      return { info, warning, critical }
    },
    evaluationAgeMs() {
      if (!seen?.glance.needed) return 0
      return seen.glance.ageMs + performance.now() - seen.at
    },
    async stop() {
      stop.abort()
      await Promise.all([watching, beating.stop(), forgetting.stop(), firstBeat])
      await outbox.stop()
      await heartbeat.end().catch(onBeatError)
    },
  }
}
