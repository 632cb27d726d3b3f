/** One activation of a service task. Variables stay the text the engine sent, so that no digit is lost. */
export interface Job {
  /** 64-bit key, decimal text. */
  key: string
  /** Task type, e.g. `Kafka Producer`. */
  type: string
  processInstanceKey: string
  processId: string
  processVersion: number
  elementId: string
  elementInstanceKey: string
  tenantId: string
  retries: number
  headers: Record<string, string>
  /** JSON text of an object. */
  variables: string
  /**
   * `performance.now()` from which the engine may hand the job to another worker. Counted from the start of the poll
   * that brought it, so rather too early than too late; the engine's clock is not compared with ours.
   */
  deadline: number
}

/** What the engine is told about a job. Exactly one settlement ends an activation. */
export type Settlement =
  | { kind: 'complete'; variables: Record<string, unknown> }
  /** An error of this code for the diagram to catch; an incident where nothing catches it. */
  | { kind: 'bpmnError'; code: string; message: string; variables: Record<string, unknown> }
  | { kind: 'fail'; retries: number; backOffMs: number; message: string; variables?: Record<string, unknown> }

/**
 * `accepted`: the engine took it, or will be told at the end of a back-off that the worker spends itself. `gone`: the engine does not know the job any more (settled by another, cancelled).
 * `unanswered`: no answer in time, or another worker has failed the job: the engine will hand it out again.
 */
export type SettleAnswer = 'accepted' | 'gone' | 'unanswered'

export interface WorkOptions {
  types: string[]
  /** Jobs of this worker in hand at any moment, over all types. */
  maxInFlight: number
  /** How long the engine leaves a job to this worker, milliseconds. */
  jobTimeoutMs: number
  /** Slots beyond `maxInFlight`, e.g. for jobs that only wait for an unanswering broker. Asked before each poll. */
  extraSlots?: () => number
  /**
   * Whether jobs could only be given back now: then they are asked for one at a time, a second apart, and the others
   * stay ready in the engine. Asked before each poll.
   */
  trickle?: () => boolean
  /** Awaited before each poll; lets the worker stop asking for jobs it could not handle. */
  gate?: (signal: AbortSignal) => Promise<void>
}

export interface JobWorker {
  /** Jobs in hand. */
  readonly inFlight: number
  /** Milliseconds since the last poll that the engine answered, over the slowest type; Infinity before the first. */
  lastPollAgeMs(): number
  /**
   * Takes no new jobs, gives back those that still arrive, and waits until all in hand are settled,
   * `graceMs` at the longest. Resolves to the number of jobs left in hand.
   */
  stop(graceMs: number): Promise<number>
}

/** An instance of a process to start. */
export interface InstanceStart {
  processId: string
  /** Null: the newest there is. */
  version: number | null
  /** JSON text of an object: no digit is lost on the way. */
  variables: string
  /** Wait so long for the instance to end, milliseconds. Default: not at all. */
  awaitMs?: number | undefined
}

export interface StartedInstance {
  /** 64-bit key, decimal text. */
  processInstanceKey: string
  processVersion: number
}

/** A BPMN message for process instances that wait for it, or start with it. */
export interface MessageCorrelation {
  name: string
  correlationKey: string
  /** The engine takes a second message of this id, name and correlation key for the first, for as long as it keeps that. */
  messageId: string
  /** How long the engine keeps it for an instance that comes to wait for it, milliseconds. */
  ttlMs: number
  /** JSON text of an object. */
  variables: string
}

/** A process engine. Only src/engine/zeebe*.ts know a client library. */
export interface Engine {
  /** Names the engine in ledger and request ids; two engines on one database need different names. */
  readonly name: string
  work(options: WorkOptions, handle: (job: Job) => Promise<void>): JobWorker
  settle(job: Job, settlement: Settlement): Promise<SettleAnswer>
  /**
   * Starts an instance. An engine whose answer is lost may have done so: it keeps no id that would tell.
   * @throws RelayError PROCESS_UNKNOWN, ENGINE_REFUSED or MESSAGE_TOO_LARGE for good; ENGINE_UNREACHABLE or ENGINE_BUSY
   *   for now. With `awaitMs`, COMPLETION_UNKNOWN once nobody can say that the instance does not run.
   */
  start(instance: InstanceStart): Promise<StartedInstance>
  /**
   * Hands a message over.
   * @returns its 64-bit key as decimal text; null where the engine had it already
   * @throws RelayError ENGINE_REFUSED or MESSAGE_TOO_LARGE for good; ENGINE_UNREACHABLE or ENGINE_BUSY for now
   */
  correlate(message: MessageCorrelation): Promise<string | null>
  /** @throws RelayError ENGINE_UNREACHABLE */
  check(): Promise<void>
  close(): Promise<void>
}
