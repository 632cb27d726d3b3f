import type { Adapter } from '../adapters/adapter.js'
import type { AdapterDirectory } from '../adapters/directory.js'
import { DROPPED } from '../adapters/serialization/serializer.js'
import type { Capture } from '../audit/capture.js'
import type { FileLog } from '../audit/file-log.js'
import type { InboundMessage } from '../brokers/subscription.js'
import { messageOf, RelayError, toRelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { isRequestId, timedRequestId } from '../core/request-id.js'
import type { Database } from '../db/database.js'
import type { Session } from '../db/session.js'
import { headerText, readMessage } from './message-view.js'
import { type Handling, isOutage, Outages } from './outages.js'
import type { Trigger } from './trigger.js'
import { type ActionContext, correlateMessage, forwardMessage, startInstance } from './trigger-action.js'
import { Evaluated } from './trigger-expressions.js'
import { failureOf } from './trigger-failure.js'
import { createTriggerLedger, entryOf } from './trigger-ledger.js'
import type { TriggerOutcome } from './trigger-outcome.js'
import { type Consumption, heldRecordOf, tracesOf } from './trigger-record.js'
import { createTriggerRecorder, type TriggerRecord } from './trigger-recorder.js'
import type { TriggerStats } from './trigger-stats.js'

export interface TriggerDependencies extends ActionContext {
  directory: AdapterDirectory
  database: Database
  fileLog: Pick<FileLog, 'write'>
  capture: Capture
  stats: TriggerStats
  /** Name of the worker. */
  worker: string
  log: Log
}

export interface TriggerHandler {
  /**
   * Handles one delivery of a message. Resolves once the message counts as consumed: whatever became of it is durable.
   * While engine, Postgres or another server that it needs is away it waits, which costs no attempt.
   * @throws RelayError when it is to be delivered again: it failed for now and has attempts left, which is recorded, or
   *   its worker is stopping
   */
  handle(trigger: Trigger, message: InboundMessage, handling: Handling): Promise<TriggerOutcome>
  /**
   * Handles the message of a dead letter once more, by the trigger as it is now: once, without waiting, and without asking
   * the ledger, which knows the message because it was given up. Audit row and counters are written in one transaction
   * with what `also` does of the outcome, which may be `failed`: the dead letter itself is its caller's. Afterwards the
   * ledger knows the message as handled, so that no redelivery repeats it.
   * @throws RelayError while what it needs is away, which nobody's record says; DATABASE_AWAY: it may have been handled,
   *   and not recorded
   */
  replay(
    trigger: Trigger,
    message: InboundMessage,
    also: (session: Session, outcome: TriggerOutcome) => Promise<void>,
  ): Promise<TriggerOutcome>
  /** Resolves once everything that was handed over is recorded or given up. */
  close(): Promise<void>
}

/** Of a message in hand: ends as that does. */
interface Repetition {
  resolve: (outcome: TriggerOutcome) => void
  reject: (error: unknown) => void
}

const REQUEST_ID = 'x-request-id'

/**
 * The inbound sentence of the program, one message at a time:
 * message → trigger → deserialize → activation condition → already handled? → start / correlate / forward → record →
 * acknowledge. Steps that leave the process are joined with the same step of other messages. Record comes before
 * acknowledge: what the broker is told is already durable.
 */
export function createTriggerHandler(dependencies: TriggerDependencies): TriggerHandler {
  const { engine, directory, database, fileLog, capture, stats, log } = dependencies
  const outages = new Outages({ engine, database, log })
  /**
   * What came again while it is in hand. Nothing else of a message, as a table that grows, or is tidied up, leaves the one
   * before it behind: all that this refers to would stay in memory until the next full collection.
   */
  const inHand = new Map<string, Repetition[]>()
  const ledger = createTriggerLedger(database, () => inHand.size)
  const recorder = createTriggerRecorder({
    ...dependencies,
    engineName: dependencies.engine.name,
    inHand: () => inHand.size,
  })

  async function run(consumption: Consumption): Promise<TriggerOutcome> {
    const { trigger, entry, isReplay } = consumption
    const { adapterId, action, activationCondition } = trigger
    // What it waited before for something to come back is no time of its own.
    consumption.startedAt = performance.now()
    consumption.stage = 'deserialize'
    consumption.adapter = directory.known(adapterId) ?? (await directory.named(adapterId))
    // What goes on as the same bytes need not be understood.
    const act =
      action.kind === 'forward' && activationCondition === null
        ? () => forwardMessage(dependencies, action, consumption)
        : await prepare(consumption, consumption.adapter)
    if (!act) return { kind: 'passed-over' }
    consumption.stage = 'action'
    const known = isReplay || consumption.isOpen ? 'new' : await ledger.find(entry)
    switch (known) {
      case 'handled':
        return { kind: 'repeated' }
      case 'open':
        throw interrupted(consumption)
      case 'new':
        return trigger.completionTimeoutMs === null ? await act() : await begin(consumption, act)
    }
  }

  /** What there is to do with a message; undefined: nothing. */
  async function prepare(
    consumption: Consumption,
    adapter: Adapter,
  ): Promise<(() => Promise<TriggerOutcome>) | undefined> {
    const { trigger, message } = consumption
    const { action } = trigger
    const read = await readMessage(message, directory.serializers(adapter))
    if (read === DROPPED) return undefined
    consumption.read = read
    const evaluated = new Evaluated(read)
    consumption.stage = 'condition'
    if (!evaluated.isActivated(trigger)) return undefined
    switch (action.kind) {
      case 'start':
        return () => startInstance(engine, action, evaluated, consumption)
      case 'message':
        return () => correlateMessage(engine, action, evaluated, consumption)
      case 'forward':
        return () => forwardMessage(dependencies, action, consumption)
    }
  }

  /** What waits for the end of a process is noted before: a redelivery must not start another one. */
  async function begin(
    consumption: Consumption,
    act: () => Promise<TriggerOutcome>,
  ): Promise<TriggerOutcome> {
    const { entry } = consumption
    // Before it is told: Postgres may note what it gives no answer to, and nothing is begun yet.
    consumption.isOpen = true
    await ledger.open(entry)
    try {
      return await act()
    } catch (error) {
      if (toRelayError(error).code === 'COMPLETION_UNKNOWN') throw error
      await ledger.forget(entry)
      consumption.isOpen = false
      throw error
    }
  }

  async function outcomeOf(consumption: Consumption, handling: Handling): Promise<TriggerOutcome> {
    try {
      return await patiently(consumption, handling, () => run(consumption))
    } catch (thrown) {
      const error = toRelayError(thrown)
      if (error.code === 'WORKER_STOPPING') throw error
      return await patiently(consumption, handling, () => failureOf(dependencies, consumption, error))
    }
  }

  /** Does it again and again while what it needs is away. */
  function patiently<T>(
    consumption: Consumption,
    handling: Handling,
    work: (isAgain: boolean) => Promise<T>,
  ): Promise<T> {
    return outages.patiently(work, handling, () => countHold(consumption))
  }

  function countHold(consumption: Consumption): void {
    const { trigger } = consumption
    stats.ended(trigger.name, trigger.action.kind, 'held', 0)
    // Nobody waits for it: what it waits for may be Postgres.
    recorder.write(heldRecordOf(consumption)).catch(() => undefined)
  }

  async function leaveTraces(
    consumption: Consumption,
    outcome: TriggerOutcome,
    handling: Handling,
  ): Promise<void> {
    const traces = tracesOf(consumption, outcome, capture)
    if (!traces) return
    const { record, logged } = traces
    if (logged) fileLog.write(logged)
    try {
      await patiently(consumption, handling, (isAgain) =>
        isAgain ? recordIfMissing(record) : recorder.write(record),
      )
    } catch (error) {
      if (toRelayError(error).code === 'WORKER_STOPPING') throw error
      // Acknowledged all the same: delivered again, it would be handled again, and so for ever.
      log.error('Postgres refused the record of a message', {
        ...{ trigger: consumption.trigger.name, requestId: consumption.requestId },
        reason: messageOf(error),
      })
    }
  }

  /** Postgres may have carried out what it gave no answer to. */
  async function recordIfMissing(record: TriggerRecord): Promise<void> {
    const { handled } = record
    if (handled !== null && (await ledger.find(handled)) === 'handled') return
    await recorder.write(record)
  }

  function count({ trigger, startedAt }: Consumption, { kind }: TriggerOutcome): void {
    stats.ended(trigger.name, trigger.action.kind, kind, performance.now() - startedAt)
  }

  async function consume(key: string, consumption: Consumption, handling: Handling): Promise<TriggerOutcome> {
    const repetitions: Repetition[] = []
    inHand.set(key, repetitions)
    try {
      const outcome = await outcomeOf(consumption, handling)
      await leaveTraces(consumption, outcome, handling)
      count(consumption, outcome)
      if (outcome.kind === 'failed') throw outcome.error
      for (const { resolve } of repetitions) resolve({ kind: 'repeated' })
      return outcome
    } catch (error) {
      for (const { reject } of repetitions) reject(error)
      throw error
    } finally {
      inHand.delete(key)
    }
  }

  return {
    handle(trigger, message, handling) {
      const key = `${trigger.id} ${message.id}`
      const repetitions = inHand.get(key)
      if (repetitions) return new Promise((resolve, reject) => repetitions.push({ resolve, reject }))
      return consume(key, consumptionOf(trigger, message), handling)
    },

    async replay(trigger, message, also) {
      const consumption = { ...consumptionOf(trigger, message), isReplay: true }
      const outcome = await run(consumption).catch((thrown: unknown): TriggerOutcome => {
        const error = toRelayError(thrown)
        if (isOutage(error)) throw error
        return { kind: 'failed', error, stage: consumption.stage }
      })
      const traces = tracesOf(consumption, outcome, capture)
      if (traces) await recorder.writeWith(traces.record, (session) => also(session, outcome))
      if (traces?.logged) fileLog.write(traces.logged)
      count(consumption, outcome)
      return outcome
    },

    async close() {
      outages.close()
      await recorder.flush()
    },
  }
}

function consumptionOf(trigger: Trigger, message: InboundMessage): Consumption {
  const given = headerText(message, REQUEST_ID)
  const requestId =
    given !== undefined && isRequestId(given)
      ? given
      : timedRequestId(message.timestamp, `${trigger.id} ${message.id}`)
  const entry = entryOf(trigger, message)
  return { trigger, message, entry, requestId, startedAt: performance.now(), stage: 'deserialize' }
}

function interrupted({ trigger }: Consumption): RelayError {
  return new RelayError(
    'COMPLETION_UNKNOWN',
    `an earlier delivery began to wait for the process that trigger "${trigger.name}" starts, and its worker ended meanwhile: an instance may run; look for it in the engine before you replay the message, which starts another`,
  )
}
