import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { GroupPartition } from '../brokers/operator.js'
import type { SourceLimits } from '../brokers/subscription.js'
import { messageOf, RelayError } from '../core/errors.js'
import { withTimeLimit } from '../core/time-limit.js'
import { Timestamp } from '../db/row-types.js'
import { deadLetterCount } from '../trigger/dead-letters.js'
import { listensTo } from '../trigger/topic-pattern.js'
import type { Trigger } from '../trigger/trigger.js'
import { loadTriggerAdapters, type TriggerAdapter } from '../trigger/trigger-adapters.js'
import { limitsOf } from '../trigger/trigger-settings.js'
import { TriggerStatus } from '../trigger/trigger-status.js'
import { triggers } from '../trigger/triggers.js'
import { topicWarnings, warningsOf } from '../trigger/warnings.js'
import { type AdapterAdmin, type AdminContext, withAdapter } from './adapter-admin.js'

/** How a trigger is doing. */
export interface TriggerReport {
  trigger: Trigger
  /** What it says, or else its adapter; null where the adapter cannot be used as it is. */
  limits: SourceLimits | null
  workers: WorkerOfTrigger[]
  /** How far its group has read; null where the broker did not tell, for the reason in `brokerProblem`. */
  positions: GroupPartition[] | null
  brokerProblem: string | null
  deadLettersWaiting: number
  warnings: string[]
}

const WorkerRow = Type.Object({ worker: Type.String(), seenAt: Timestamp, status: TriggerStatus })
/** One that consumes for a trigger, as it told last. */
export type WorkerOfTrigger = Static<typeof WorkerRow>

/** What the broker says of a trigger. */
interface BrokerAnswer {
  /** Partitions of each topic it listens to; null where topics cannot be listed. */
  topics: ReadonlyMap<string, number> | null
  positions: GroupPartition[] | null
}

/** Whoever looks at a trigger waits no longer than this for its broker. */
const BROKER_LIMIT_MS = 5000

export async function triggerReport(context: AdminContext, trigger: Trigger): Promise<TriggerReport> {
  const [adapter, workers, deadLettersWaiting, all, answer] = await Promise.all([
    adapterOf(context, trigger),
    workersOf(context, trigger),
    deadLetterCount(context.database, { trigger: trigger.id, state: 'waiting' }),
    triggers(context.database),
    askBroker(context, trigger, async (admin) => ({
      topics: await topicsOf(admin, trigger),
      positions: await positionsOf(admin, trigger),
    })),
  ])
  const { topics, positions }: BrokerAnswer = typeof answer === 'string' ? NO_ANSWER : answer
  return {
    ...{ trigger, workers, positions, deadLettersWaiting },
    limits: adapter === undefined ? null : limitsThrough(adapter, trigger),
    brokerProblem: typeof answer === 'string' ? answer : null,
    warnings: [...warningsOf(trigger, all, adapter), ...(topics ? topicWarnings(trigger, topics) : [])],
  }
}

/** What may not be meant of a trigger, a sentence each; what its broker would have to tell, if it tells it. */
export async function triggerWarnings(context: AdminContext, trigger: Trigger): Promise<string[]> {
  const [all, adapter, topics] = await Promise.all([
    triggers(context.database),
    adapterOf(context, trigger),
    askBroker(context, trigger, (admin) => topicsOf(admin, trigger)),
  ])
  return [
    ...warningsOf(trigger, all, adapter),
    ...(topics === null || typeof topics === 'string' ? [] : topicWarnings(trigger, topics)),
  ]
}

const NO_ANSWER: BrokerAnswer = { topics: null, positions: null }

/** What the broker answers, or why it does not. */
async function askBroker<T>(
  context: AdminContext,
  { adapterId }: Trigger,
  question: (admin: AdapterAdmin) => Promise<T>,
): Promise<T | string> {
  try {
    return await withAdapter(context, adapterId, (admin) =>
      withTimeLimit(
        question(admin),
        BROKER_LIMIT_MS,
        () =>
          new RelayError('BROKER_TIMEOUT', `its broker did not answer within ${BROKER_LIMIT_MS / 1000} s`),
      ),
    )
  } catch (error) {
    return messageOf(error)
  }
}

async function topicsOf(admin: AdapterAdmin, trigger: Trigger): Promise<Map<string, number> | null> {
  if (!admin.has('listTopics')) return null
  const topics = await admin.can('listTopics')()
  return new Map(
    topics
      .filter(({ topic }) => listensTo(trigger, topic))
      .map((each) => [each.topic, 'partitions' in each ? each.partitions : each.queues]),
  )
}

async function positionsOf(admin: AdapterAdmin, trigger: Trigger): Promise<GroupPartition[]> {
  try {
    const { partitions } = await admin.can('describeGroup')(trigger.group)
    return partitions.filter(({ topic }) => listensTo(trigger, topic))
  } catch (error) {
    // Nobody has been a member yet.
    if (error instanceof RelayError && error.code === 'NOT_FOUND') return []
    throw error
  }
}

/** Null where the adapter cannot do what the trigger says, as it has changed since. */
function limitsThrough(adapter: TriggerAdapter, trigger: Trigger): SourceLimits | null {
  try {
    return limitsOf(trigger, adapter) ?? null
  } catch {
    return null
  }
}

/** Undefined where it cannot be used as it is. */
async function adapterOf(context: AdminContext, { adapterId }: Trigger): Promise<TriggerAdapter | undefined> {
  const adapters = await loadTriggerAdapters(context)
  try {
    return adapters(adapterId)
  } catch {
    return undefined
  }
}

async function workersOf({ database }: AdminContext, { id }: Trigger): Promise<WorkerOfTrigger[]> {
  const rows = await database.query(
    `SELECT worker, seen_at AS "seenAt", triggers -> $1 AS status FROM worker_state WHERE triggers ? $1 ORDER BY worker`,
    [id],
  )
  return rows.map((row) => Value.Parse(WorkerRow, row))
}
