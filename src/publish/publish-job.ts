import type { Adapter } from '../adapters/adapter.js'
import type { AdapterDirectory } from '../adapters/directory.js'
import { DROPPED } from '../adapters/serialization/serializer.js'
import { isRememberedByAudit } from '../audit/call-record.js'
import type { Capture } from '../audit/capture.js'
import type { FileLog } from '../audit/file-log.js'
import type { Recorder } from '../audit/recorder.js'
import type { Connections, LiveConnection } from '../brokers/connections.js'
import type { RegisteredDriver } from '../brokers/registry.js'
import { RelayError, toRelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { Engine, Job } from '../engine/engine.js'
import type { WorkerStats } from '../sla/worker-stats.js'
import { type Call, OPERATION, tracesOf } from './call.js'
import { NO_EXPRESSIONS, taskExpressions } from './expressions.js'
import type { Holds } from './holds.js'
import { defaultRequestIds, InputReader, parseJobInput, requestIdOf, retryBackOffOf } from './job-input.js'
import { type EarlierPublish, fingerprintOf, type Ledger } from './ledger.js'
import { outboundMessage } from './outbound-message.js'
import {
  actionOf,
  failureOf,
  type Outcome,
  resultOf,
  settlementOf,
  skippedResult,
  storedResult,
} from './outcome.js'

export interface PublishDependencies {
  engine: Engine
  directory: AdapterDirectory
  connections: Connections
  ledger: Ledger
  recorder: Recorder
  fileLog: FileLog
  capture: Capture
  /** Driver of each task type, aliases included. */
  driverOf: (taskType: string) => RegisteredDriver
  /** Sends an unanswering broker may keep; further jobs for it wait. */
  unansweredShare: number
  /** How long the engine leaves a job to this worker, milliseconds. */
  jobTimeoutMs: number
  holds: Holds
  stats: WorkerStats
  log: Log
}

/** Of a job's timeout may be gone when it arrives: it counts from the start of the poll, which waits this long. */
const POLL_MS = 1000

/**
 * The outbound sentence of the program, one job at a time:
 * job → parse input → adapter → resolve @env → serialize → already published? → publish → record → settle.
 * Every step that leaves the process is joined with the same step of other jobs by what it calls. Record comes before
 * settle: what the engine is told is already durable.
 */
export function createPublisher(dependencies: PublishDependencies): (job: Job) => Promise<void> {
  const { engine, directory, connections, ledger, recorder, fileLog, unansweredShare, holds, stats, log } =
    dependencies
  const defaultRequestId = defaultRequestIds(engine.name)

  return async function publishJob(job) {
    const call: Call = {
      job,
      driver: dependencies.driverOf(job.type),
      reader: new InputReader(job),
      startedAt: performance.now(),
      requestId: defaultRequestId(job),
      retryBackOffMs: 0,
      expressions: NO_EXPRESSIONS,
      attempt: 1,
      mayBeInLedger: true,
    }
    stats.activated(job.type)
    try {
      // Asked first of all: it also tells that Postgres is there, and nothing is published while it is not.
      const earlier = await ledger.find(job)
      call.attempt = earlier.attempts + 1
      const outcome = await outcomeOf(call, earlier)
      stats.ended(call.adapter?.name, OPERATION, actionOf(outcome), performance.now() - call.startedAt)
      await record(call, outcome)
      await settle(call, outcome)
    } catch (error) {
      await giveBack(call, toRelayError(error))
    } finally {
      stats.handled(job.type)
    }
  }

  async function outcomeOf(call: Call, earlier: EarlierPublish): Promise<Outcome> {
    try {
      return await publish(call, earlier)
    } catch (error) {
      return failureOf(toRelayError(error))
    }
  }

  async function publish(call: Call, earlier: EarlierPublish): Promise<Outcome> {
    const { job, reader, driver } = call
    // First: with an expression that is wrong nothing may be sent.
    call.expressions = taskExpressions(job.headers)
    call.requestId = requestIdOf(reader) ?? call.requestId
    call.retryBackOffMs = retryBackOffOf(job)
    const input = parseJobInput(reader, driver)
    call.input = input
    const adapter = await directory.adapter(input.adapterId, driver)
    call.adapter = adapter
    const made = outboundMessage(input, directory.serializers(adapter), job, call.requestId)
    const message = made instanceof Promise ? await made : made
    if (message === DROPPED) return { kind: 'skipped', result: skippedResult(call.requestId, input.topic) }
    call.fingerprint = fingerprintOf(adapter.id, message)

    if (earlier.result !== null && earlier.fingerprint === call.fingerprint) {
      return { kind: 'published', result: storedResult(earlier.result), repeated: true }
    }
    const connection = directory.connection(adapter)
    assertBudgetFits(adapter, connection, dependencies.jobTimeoutMs)
    await connections.admit(connection.hash, unansweredShare)
    assertTimeToSend(job, connection)
    call.receipt = await connection.publish(message)
    return { kind: 'published', result: resultOf(call.requestId, call.receipt), repeated: false }
  }

  async function record(call: Call, outcome: Outcome): Promise<void> {
    if (outcome.kind === 'published' && outcome.repeated) return
    const { record: traces, logged } = tracesOf(call, outcome, dependencies.capture)
    call.mayBeInLedger = !isRememberedByAudit(traces)
    if (logged) fileLog.write(logged)
    const written = recorder.write(traces)
    // A hold must not wait for anything; that one may go uncounted while Postgres is away is its only risk.
    if (outcome.kind === 'held') written.catch(() => undefined)
    else await written
  }

  async function settle(call: Call, outcome: Outcome): Promise<void> {
    const { job, requestId, retryBackOffMs, expressions } = call
    // Past its deadline the job may be in another worker's hands: failing it now would take it from there. The
    // completion of a publish is harmless, and saves the other worker the look-up.
    const late = performance.now() > job.deadline
    if (late && 'error' in outcome) return
    if (outcome.kind === 'held' && outcome.error.code === 'DEADLINE_PASSED') {
      log.warn('a job is left to its redelivery', {
        requestId,
        jobKey: job.key,
        reason: outcome.error.message,
      })
      return
    }
    const holdMs = () => holds.next()
    const settlement = settlementOf(outcome, job, { requestId, retryBackOffMs, holdMs, expressions })
    if (late && settlement.kind !== 'complete') return
    const answer = await engine.settle(job, settlement)
    stats.settled(settlement.kind, answer)
    if (answer === 'unanswered')
      log.warn('the engine did not answer; it will hand the job out again', { requestId, jobKey: job.key })
    // Not after a BPMN error: where nothing catches it the engine hands the job out again, however much later.
    if (settlement.kind === 'complete' && answer !== 'unanswered' && call.mayBeInLedger) {
      void recorder.settled(job.key)
    }
  }

  /** For what failed outside the publish itself: the look-up before it or the record after it. */
  async function giveBack(call: Call, error: RelayError): Promise<void> {
    log.warn('a call could not be looked up or recorded', {
      requestId: call.requestId,
      code: error.code,
      reason: error.message,
    })
    // A fault of ours is shown to a person: repeating it would publish the message again and again.
    const outcome: Outcome = error.code === 'INTERNAL' ? { kind: 'rejected', error } : failureOf(error)
    // What is not recorded must not end the job as a success or a BPMN error.
    await settle({ ...call, expressions: NO_EXPRESSIONS }, outcome)
  }
}

/** Without this, jobs of an adapter whose budget never fits would be handed out again and again. */
function assertBudgetFits(adapter: Adapter, { publishBudgetMs }: LiveConnection, jobTimeoutMs: number): void {
  const neededMs = publishBudgetMs + POLL_MS
  if (jobTimeoutMs >= neededMs) return
  throw new RelayError(
    'SETTINGS_INVALID',
    `BPMN_RELAY_JOB_TIMEOUT_MS is ${jobTimeoutMs}, but a send through adapter "${adapter.name}" may take ${publishBudgetMs} ms: set it to ${neededMs} at least, or lower the time limits in the settings of the adapter`,
  )
}

/** A send starts only if all its tries fit in what is left: afterwards another worker may hold the job. */
function assertTimeToSend(job: Job, connection: LiveConnection): void {
  const leftMs = Math.round(job.deadline - performance.now())
  if (leftMs >= connection.publishBudgetMs) return
  throw new RelayError(
    'DEADLINE_PASSED',
    `${leftMs} ms of the job timeout are left, but a send may take ${connection.publishBudgetMs} ms: raise BPMN_RELAY_JOB_TIMEOUT_MS if this happens often`,
  )
}
