import type { SpoolState } from '../audit/spool/spool.js'
import { messageOf } from '../core/errors.js'
import { withTimeLimit } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import type { JobWorker } from '../engine/engine.js'

const DATABASE_LIMIT_MS = 2000
/** A poll takes a second, one that fails is tried again after 5 s at most: this long without one is an outage. */
const POLL_LIMIT_MS = 30_000

export interface Check {
  ok: boolean
  /** What was seen, for a person. */
  text: string
}

export interface Readiness {
  status: 'ready' | 'not ready'
  /** `spool`: only where there is one; while it takes records, the database may be away. */
  checks: { worker: Check; database: Check; engine: Check; spool?: Check }
}

export interface ReadinessOptions {
  database: Pick<Database, 'query'>
  /** Undefined before it was started, and once it stops. */
  worker: () => Pick<JobWorker, 'inFlight' | 'lastPollAgeMs'> | undefined
  maxInFlight: number
  /** Undefined: there is none. */
  spool?: (() => SpoolState & { isFull: boolean }) | undefined
}

/** Whether the worker takes jobs and can handle them, and what keeps it from that. */
export async function readinessOf(options: ReadinessOptions): Promise<Readiness> {
  const { database, worker, maxInFlight, spool } = options
  const current = worker()
  const checks = {
    worker: current
      ? { ok: true, text: `${current.inFlight} of ${maxInFlight} jobs in hand` }
      : { ok: false, text: 'starting or stopping: no jobs are taken' },
    database: await databaseCheck(database),
    engine: current
      ? engineCheck(current, maxInFlight)
      : { ok: false, text: 'not polled while starting or stopping' },
    ...(spool && { spool: spoolCheck(spool()) }),
  }
  const keepsRecords = checks.spool ? checks.spool.ok : checks.database.ok
  const ready = checks.worker.ok && checks.engine.ok && keepsRecords
  return { status: ready ? 'ready' : 'not ready', checks }
}

function spoolCheck({ records, bytes, oldestAgeMs, isFull }: SpoolState & { isFull: boolean }): Check {
  if (bytes === 0) return { ok: true, text: 'empty' }
  const age = `the oldest ${Math.round(oldestAgeMs / 1000)} s old`
  return {
    ok: !isFull,
    text: `${records} records wait for Postgres, ${bytes} bytes, ${age}${isFull ? ': it is full' : ''}`,
  }
}

async function databaseCheck(database: Pick<Database, 'query'>): Promise<Check> {
  const startedAt = performance.now()
  try {
    const limit = () => new Error(`no answer within ${DATABASE_LIMIT_MS} ms`)
    await withTimeLimit(database.query('SELECT 1', [], 'ping'), DATABASE_LIMIT_MS, limit)
    return { ok: true, text: `answered in ${Math.ceil(performance.now() - startedAt)} ms` }
  } catch (error) {
    return { ok: false, text: messageOf(error) }
  }
}

function engineCheck(worker: Pick<JobWorker, 'inFlight' | 'lastPollAgeMs'>, maxInFlight: number): Check {
  const ageMs = worker.lastPollAgeMs()
  if (ageMs === Number.POSITIVE_INFINITY) return { ok: false, text: 'no poll was answered yet' }
  const text = `last poll answered ${Math.round(ageMs)} ms ago`
  if (ageMs <= POLL_LIMIT_MS) return { ok: true, text }
  // A worker with its hands full asks for no more.
  if (worker.inFlight >= maxInFlight) return { ok: true, text: `${text}; all slots are taken` }
  return { ok: false, text: `${text}: the engine does not answer, or Postgres is away` }
}
