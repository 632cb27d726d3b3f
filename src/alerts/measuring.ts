import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { CIRCUIT_POSITIONS } from '../brokers/circuit.js'
import { Timestamp } from '../db/row-types.js'
import type { Session } from '../db/session.js'
import { addSums, type CounterSums, measuresOf } from '../sla/measures.js'
import { sumsByAdapter } from '../sla/sla-queries.js'
import { type KeptResolutions, piecesOf } from '../sla/time-pieces.js'
import { TRIGGER_STATES } from '../trigger/trigger.js'
import { TriggerStatus } from '../trigger/trigger-status.js'
import { isFresh, type Measured, metricOf, type WorkerState } from './metrics.js'
import type { PolicySettings } from './policy.js'
import type { Subject } from './wording.js'

const MINUTE_MS = 60_000

const KnownAdapter = Type.Object({
  id: Type.String(),
  name: Type.String(),
  kind: Type.String(),
  createdAt: Timestamp,
})
type KnownAdapter = Static<typeof KnownAdapter>

const KnownTrigger = Type.Object({
  id: Type.String(),
  name: Type.String(),
  adapterId: Type.String(),
  state: Type.Enum([...TRIGGER_STATES]),
  deadLetters: Type.Integer(),
})
type KnownTrigger = Static<typeof KnownTrigger>

const StateRow = Type.Object({
  worker: Type.String(),
  silentMs: Type.Number(),
  recordsWaiting: Type.Number(),
  pollAgeMs: Type.Union([Type.Number(), Type.Null()]),
  circuits: Type.Record(
    Type.String(),
    Type.Union(CIRCUIT_POSITIONS.map((position) => Type.Literal(position))),
  ),
  triggers: Type.Record(Type.String(), TriggerStatus),
})

/** Everything policies are held against, as of one moment. */
export interface Observed {
  now: Date
  /** Those in service. */
  adapters: KnownAdapter[]
  workers: WorkerState[]
  triggers: KnownTrigger[]
  /** False when heartbeats may be missing for want of Postgres, not of workers. */
  heartbeatsCount: boolean
  /** Counters by adapter, for each kind of window that policies look through. */
  counters: Map<string, Map<string, CounterSums>>
}

export interface Measurement {
  subject: Subject
  measured: Measured
}

/** Reads what the policies need, and each window once. */
export async function observe(
  session: Session,
  policies: readonly PolicySettings[],
  { now, kept, heartbeatsCount }: { now: Date; kept: KeptResolutions; heartbeatsCount: boolean },
): Promise<Observed> {
  const adapters = await session.query(
    'SELECT id, name, kind, created_at AS "createdAt" FROM adapter WHERE enabled ORDER BY name',
  )
  const workers = await session.query(
    `SELECT worker, extract(epoch FROM $1::timestamptz - seen_at)::double precision * 1000 AS "silentMs",
       records_waiting AS "recordsWaiting", poll_age_ms AS "pollAgeMs", circuits, triggers
     FROM worker_state ORDER BY worker`,
    [now.toISOString()],
  )
  const triggers = policies.some(({ metric }) => metricOf(metric).of === 'trigger')
    ? await session.query(TRIGGERS)
    : []
  const counters: Observed['counters'] = new Map()
  for (const policy of policies) {
    const window = windowOf(policy)
    if (window === null || counters.has(window)) continue
    const since = new Date(now.getTime() - (policy.windowMinutes ?? 0) * MINUTE_MS)
    const { operation, processId } = policy
    const filter = { operation: operation ?? undefined, processId: processId ?? undefined }
    counters.set(window, await sumsByAdapter(session, piecesOf(since, now, kept, now.getTime()), filter))
  }
  return {
    now,
    adapters: adapters.map((row) => Value.Parse(KnownAdapter, row)),
    workers: workers.map((row) => Value.Parse(StateRow, row)),
    triggers: triggers.map((row) => Value.Parse(KnownTrigger, row)),
    heartbeatsCount,
    counters,
  }
}

/** Of adapters in service. */
const TRIGGERS = `
  SELECT trigger.id, trigger.name, adapter_id AS "adapterId", state,
    (SELECT count(*)::int FROM dead_letter AS letter
     WHERE letter.trigger_id = trigger.id AND letter.state = 'waiting') AS "deadLetters"
  FROM trigger JOIN adapter ON adapter.id = trigger.adapter_id AND adapter.enabled
  ORDER BY trigger.name`

/** What tells apart the counters that policies need; null: none. */
function windowOf({ metric, windowMinutes, operation, processId }: PolicySettings): string | null {
  return metricOf(metric).of === 'calls' ? JSON.stringify([windowMinutes, operation, processId]) : null
}

/** Each subject of a policy, with what is measured of it. */
export function measure(policy: PolicySettings, observed: Observed): Measurement[] {
  const metric = metricOf(policy.metric)
  const { workers, heartbeatsCount } = observed
  switch (metric.of) {
    case 'calls': {
      const counters = observed.counters.get(windowOf(policy) ?? '') ?? new Map<string, CounterSums>()
      const read = (sums: CounterSums[]) => metric.read(measuresOf(addSums(sums)))
      if (policy.inTotal) {
        return [{ subject: totalOf(policy), measured: read(sumsInScope(policy, observed, counters)) }]
      }
      return adaptersOf(policy, observed).map((adapter) => {
        const sums = counters.get(adapter.id)
        const measured = isTooYoung(policy, adapter, observed) ? 'none' : read(sums ? [sums] : [])
        return { subject: subjectOf(adapter), measured }
      })
    }
    case 'circuits': {
      const fresh = workers.filter(isFresh)
      const openAt = ({ name }: KnownAdapter) =>
        fresh.filter(({ circuits }) => (circuits[name] ?? 'closed') !== 'closed').length
      const known = fresh.length > 0
      const adapters = adaptersOf(policy, observed)
      if (policy.inTotal) {
        const open = adapters.filter((adapter) => openAt(adapter) > 0).length
        return [{ subject: totalOf(policy), measured: known ? metric.read(open) : 'unknown' }]
      }
      return adapters.map((adapter) => ({
        subject: subjectOf(adapter),
        measured: known ? metric.read(openAt(adapter)) : 'unknown',
      }))
    }
    case 'trigger': {
      const fresh = heartbeatsCount ? workers.filter(isFresh) : []
      const adapters = new Map(adaptersOf(policy, observed).map((adapter) => [adapter.id, adapter]))
      return observed.triggers.flatMap((trigger) => {
        const adapter = adapters.get(trigger.adapterId)
        if (!adapter) return []
        const told = fresh.flatMap(({ silentMs, triggers }) => {
          const status = triggers[trigger.id]
          return status ? [{ ...status, silentMs }] : []
        })
        const label = `trigger "${trigger.name}"`
        const subject = { key: trigger.id, adapterId: adapter.id, adapterName: adapter.name, label }
        return [{ subject, measured: metric.read({ ...trigger, workers: told }) }]
      })
    }
    case 'worker':
      return workers.map((state) => ({
        subject: { key: state.worker, adapterId: null, adapterName: null, label: `worker "${state.worker}"` },
        measured: heartbeatsCount ? metric.read(state) : 'unknown',
      }))
    case 'workers':
      return [
        {
          subject: { key: '', adapterId: null, adapterName: null, label: 'this deployment' },
          measured: heartbeatsCount ? metric.read(workers) : 'unknown',
        },
      ]
  }
}

function adaptersOf({ adapterIds, adapterKind }: PolicySettings, { adapters }: Observed): KnownAdapter[] {
  return adapters.filter(
    ({ id, kind }) =>
      (adapterIds.length === 0 || adapterIds.includes(id)) && (adapterKind === null || kind === adapterKind),
  )
}

/** Calls that named no adapter there is belong to a total over all of them. */
function sumsInScope(
  policy: PolicySettings,
  observed: Observed,
  counters: Map<string, CounterSums>,
): CounterSums[] {
  if (policy.adapterIds.length === 0 && policy.adapterKind === null) return [...counters.values()]
  return adaptersOf(policy, observed).flatMap(({ id }) => counters.get(id) ?? [])
}

/** Too few calls say nothing of an adapter that has not been there for the whole window. */
function isTooYoung(
  { operator, windowMinutes }: PolicySettings,
  { createdAt }: KnownAdapter,
  { now }: Observed,
): boolean {
  const ageMs = now.getTime() - createdAt.getTime()
  return (operator === 'below' || operator === 'at-most') && ageMs < (windowMinutes ?? 0) * MINUTE_MS
}

function subjectOf({ id, name }: KnownAdapter): Subject {
  return { key: id, adapterId: id, adapterName: name, label: `adapter "${name}"` }
}

function totalOf({ adapterIds, adapterKind }: PolicySettings): Subject {
  const label = adapterIds.length > 0 || adapterKind !== null ? 'the adapters in scope' : 'all adapters'
  return { key: '', adapterId: null, adapterName: null, label }
}
