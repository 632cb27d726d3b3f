import type { CircuitReport } from '../brokers/circuit.js'
import type { Database } from '../db/database.js'
import type { TriggerStatus } from '../trigger/trigger-status.js'

/** What a worker tells of itself, read when it is told. */
export interface HeartbeatSource {
  worker: string
  engine: string
  inFlight: () => number
  onHold: () => number
  recordsWaiting: () => number
  /** Infinity: no poll was answered yet. Null: it does not poll just now, as all its slots are taken. */
  pollAgeMs: () => number | null
  circuits: () => Map<string, CircuitReport>
  /** Of the triggers that it consumes for, by id. */
  triggers: () => ReadonlyMap<string, TriggerStatus>
}

const FORGOTTEN_AFTER = "interval '1 hour'"

const BEAT = `
INSERT INTO worker_state AS known
  (worker, engine, started_at, seen_at, in_flight, on_hold, records_waiting, poll_age_ms, circuits, triggers)
VALUES ($1, $2, $3, now(), $4, $5, $6, $7, $8, $9)
ON CONFLICT (worker) DO UPDATE SET
  (engine, started_at, seen_at, in_flight, on_hold, records_waiting, poll_age_ms, circuits, triggers) =
  (excluded.engine, excluded.started_at, excluded.seen_at, excluded.in_flight, excluded.on_hold,
   excluded.records_waiting, excluded.poll_age_ms, excluded.circuits, excluded.triggers)`

/** Tells the other workers, through Postgres, that this one lives and how it is. */
export class Heartbeat {
  readonly #database: Pick<Database, 'query'>
  readonly #source: HeartbeatSource
  readonly #startedAt = new Date()

  constructor(database: Pick<Database, 'query'>, source: HeartbeatSource) {
    this.#database = database
    this.#source = source
  }

  async beat(): Promise<void> {
    const { worker, engine, inFlight, onHold, recordsWaiting, pollAgeMs, circuits, triggers } = this.#source
    const positions = Object.fromEntries(
      [...circuits()].map(([adapter, { position }]) => [adapter, position]),
    )
    const age = pollAgeMs()
    const sinceStartMs = Date.now() - this.#startedAt.getTime()
    await this.#database.query(
      BEAT,
      [
        ...[worker, engine, this.#startedAt.toISOString(), inFlight(), onHold(), recordsWaiting()],
        ...[age === null ? null : Math.min(age, sinceStartMs), positions],
        Object.fromEntries(triggers()),
      ],
      'heartbeat',
    )
  }

  /** Says that this worker ends by its own will. */
  async end(): Promise<void> {
    await this.#database.query('DELETE FROM worker_state WHERE worker = $1', [this.#source.worker])
  }
}

/** Forgets workers that ended without a word, an hour after their last heartbeat. */
export async function forgetWorkers(database: Pick<Database, 'query'>): Promise<void> {
  await database.query(`DELETE FROM worker_state WHERE seen_at < now() - ${FORGOTTEN_AFTER}`)
}
