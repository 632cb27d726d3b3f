import type { AdapterDirectory } from '../adapters/directory.js'
import { CLOSE_BUDGET_MS } from '../brokers/subscription.js'
import { Coalesced } from '../core/coalesced.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { repeating } from '../core/repeating.js'
import { withTimeLimit } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import type { TriggerHandler } from './run-trigger.js'
import { type MemberContext, TriggerMember } from './trigger-member.js'
import { makeMoves } from './trigger-moves.js'
import type { TriggerStatus } from './trigger-status.js'
import { triggers } from './triggers.js'

const MEASURE_EVERY_MS = 10_000
/** What a subscription takes to close at the most, and its farewell. */
const CLOSE_LIMIT_MS = CLOSE_BUDGET_MS + 3000

export interface TriggerWorker {
  /** Of all triggers that are not stopped, by id. */
  status(): ReadonlyMap<string, NamedStatus>
  /** Those that wait, of the whole deployment: by the name of their trigger. */
  deadLetters(): ReadonlyMap<string, number>
  /** Leaves all groups, and waits for the messages in hand, `CLOSE_BUDGET_MS` at most. Never rejects. */
  close(): Promise<void>
}

export interface NamedStatus extends TriggerStatus {
  /** Of the trigger. */
  name: string
}

export interface TriggerWorkerOptions {
  database: Pick<Database, 'query' | 'url'>
  directory: AdapterDirectory
  handler: TriggerHandler
  log: Log
}

/**
 * The triggers of the deployment in this worker. It joins the group of each that is not stopped, and follows every change
 * to triggers, adapters and variables. Whatever is away, it begins, and tries on.
 */
export function startTriggers(options: TriggerWorkerOptions): TriggerWorker {
  const { database, directory, handler, log } = options
  const context: MemberContext = {
    ...{ directory, handler, log },
    makeMoves: (trigger, consumer, topics) => makeMoves(database, trigger, consumer, topics, log),
  }
  const members = new Map<string, { name: string; member: TriggerMember }>()
  const leaving = new Set<Promise<void>>()
  let waitingLetters: ReadonlyMap<string, number> = new Map()
  let isClosed = false

  async function load(): Promise<void> {
    const wanted = (await triggers(database)).filter(({ state }) => state !== 'stopped')
    if (isClosed) return
    const ids = new Set(wanted.map(({ id }) => id))
    for (const [id, { member }] of members) {
      if (ids.has(id)) continue
      members.delete(id)
      const left = member.close().finally(() => leaving.delete(left))
      leaving.add(left)
    }
    for (const trigger of wanted) {
      const { id, name } = trigger
      const known = members.get(id)
      if (known) known.member.update(trigger)
      const member = known?.member ?? new TriggerMember(trigger, context)
      members.set(id, { name, member })
    }
  }

  const following = new Coalesced(async () => {
    if (isClosed) return
    await load().catch((error: unknown) =>
      log.warn('triggers could not be loaded; the last known ones stay', { reason: messageOf(error) }),
    )
  })
  directory.onReload(() => void following.run())
  void following.run()
  const measuring = repeating(
    MEASURE_EVERY_MS,
    async () => {
      await Promise.allSettled([...members.values()].map(({ member }) => member.measure()))
      waitingLetters = await lettersWaiting(database)
    },
    () => undefined,
  )

  return {
    status: () => new Map([...members].map(([id, { name, member }]) => [id, { name, ...member.status() }])),
    deadLetters: () => waitingLetters,
    async close() {
      isClosed = true
      // Not waited for: what is away would keep it.
      void measuring.stop()
      const left = Promise.all([...[...members.values()].map(({ member }) => member.close()), ...leaving])
      // One that is just joining a group of a broker that is away would take longer.
      await withTimeLimit(left, CLOSE_LIMIT_MS, () => new Error('not left in time')).catch((error: unknown) =>
        log.warn('triggers are left as they are', { reason: messageOf(error) }),
      )
      await handler.close()
    },
  }
}

async function lettersWaiting(database: Pick<Database, 'query'>): Promise<Map<string, number>> {
  const rows = await database.query<{ trigger: string; letters: number }>(
    `SELECT trigger_name AS trigger, count(*)::int AS letters FROM dead_letter WHERE state = 'waiting' GROUP BY 1`,
  )
  return new Map(rows.map(({ trigger, letters }) => [trigger, letters]))
}
