import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError, toRelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin, pause, withTimeLimit } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import { type Notice, type Notifiers, SEVERITIES } from './notice.js'

/** What a notifier may take; it is asked to end by itself within 30 s. */
const SEND_LIMIT_MS = 32_000
/** A notice that a worker has taken and says no more of is taken again after this. */
const LEASE_MS = 45_000
const FIRST_BACK_OFF_MS = 5000
const LONGEST_BACK_OFF_MS = 300_000
/** About 35 minutes in all. */
const MOST_ATTEMPTS = 12
const STOP_LIMIT_MS = 2000
const RECORD_AGAIN_MS = 1000

const nullable = {
  text: Type.Union([Type.String(), Type.Null()]),
  number: Type.Union([Type.Number(), Type.Null()]),
}

const StoredNotice = Type.Object({
  id: Type.String(),
  kind: Type.Union([Type.Literal('firing'), Type.Literal('resolved')]),
  alertId: Type.String(),
  policy: Type.String(),
  severity: Type.Union(SEVERITIES.map((severity) => Type.Literal(severity))),
  title: Type.String(),
  text: Type.String(),
  metric: Type.String(),
  value: nullable.number,
  threshold: Type.Number(),
  adapter: nullable.text,
  since: Type.String(),
  at: Type.String(),
  owners: Type.Array(Type.String()),
})

const TakenRow = Type.Object({
  id: Type.String(),
  notifier: Type.String(),
  attempts: Type.Number(),
  notice: StoredNotice,
})
type Taken = Static<typeof TakenRow>

/** Takes the next notice of each notifier that is not busy; what is told of one alert keeps its order. */
const TAKE = `
WITH next AS (
  SELECT DISTINCT ON (notifier) id FROM alert_notice AS due
  WHERE status = 'waiting' AND due_at <= now() AND notifier <> ALL($1::text[])
    AND NOT EXISTS (
      SELECT FROM alert_notice AS earlier
      WHERE earlier.alert_id = due.alert_id AND earlier.notifier = due.notifier AND earlier.id < due.id
        AND earlier.status = 'waiting')
  ORDER BY notifier, id
)
UPDATE alert_notice SET attempts = attempts + 1, due_at = now() + $2::int * interval '1 ms'
WHERE id IN (SELECT id FROM next) AND status = 'waiting' AND due_at <= now()
RETURNING id::text, notifier, attempts, notice`

/**
 * Delivers the notices that wait in Postgres, one at a time for each notifier, so that a slow one delays nobody else. A notice
 * is delivered at least once: the next worker repeats what one was killed at.
 */
export class Outbox {
  readonly #options: { database: Pick<Database, 'query'>; notifiers: Notifiers; log: Log }
  readonly #sending = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()
  #taking: Promise<void> = Promise.resolve()

  constructor(options: { database: Pick<Database, 'query'>; notifiers: Notifiers; log: Log }) {
    this.#options = options
  }

  /** Begins to deliver what is due. */
  deliver(): void {
    this.#taking = this.#taking
      .then(() => this.#take())
      .catch((error: unknown) =>
        this.#options.log.warn('notices of alerts wait', { reason: messageOf(error) }),
      )
  }

  /** Takes no more; those under way have two seconds, and another worker repeats them if that is too little. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#taking
    await endsWithin(Promise.all(this.#sending.values()), STOP_LIMIT_MS)
  }

  async #take(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const rows = await this.#options.database.query(TAKE, [[...this.#sending.keys()], LEASE_MS])
    for (const row of rows) {
      const taken = Value.Parse(TakenRow, row)
      const sending = this.#send(taken).finally(() => {
        this.#sending.delete(taken.notifier)
        this.deliver()
      })
      this.#sending.set(taken.notifier, sending)
    }
  }

  async #send(taken: Taken): Promise<void> {
    const { notifiers, log } = this.#options
    const { notifier, attempts } = taken
    const notice: Notice = {
      ...taken.notice,
      since: new Date(taken.notice.since),
      at: new Date(taken.notice.at),
    }
    const about = { notifier, policy: notice.policy, notice: notice.id }
    try {
      await withTimeLimit(notifiers.send(notifier, notice), SEND_LIMIT_MS, tooSlow)
      await this.#record(taken, `status = 'delivered', ended_at = now(), error = NULL`)
    } catch (thrown) {
      const error = toRelayError(thrown)
      const reason = `${error.code}: ${error.message}`
      if (error.retryable && attempts < MOST_ATTEMPTS) {
        log.warn('a notice could not be delivered; it is tried again', { ...about, attempts, reason })
        const ownBackOffMs = Math.min(FIRST_BACK_OFF_MS * 2 ** (attempts - 1), LONGEST_BACK_OFF_MS)
        const backOffMs = Math.max(ownBackOffMs, Math.round(error.retryAfterMs ?? 0))
        await this.#record(taken, `due_at = now() + ${backOffMs} * interval '1 ms', error = $2`, reason)
      } else {
        log.error('a notice is given up', { ...about, attempts, reason })
        await this.#record(taken, `status = 'failed', ended_at = now(), error = $2`, reason)
      }
    }
  }

  /** Goes on trying while Postgres is away: what is not recorded in time is sent again. */
  async #record({ id }: Taken, change: string, ...values: string[]): Promise<void> {
    const { database, log } = this.#options
    const giveUpAt = performance.now() + LEASE_MS - SEND_LIMIT_MS
    for (;;) {
      try {
        await database.query(`UPDATE alert_notice SET ${change} WHERE id = $1 AND status = 'waiting'`, [
          id,
          ...values,
        ])
        return
      } catch (error) {
        const isOver = performance.now() > giveUpAt || this.#stop.signal.aborted
        if (isOver) {
          log.warn('what became of a notice could not be recorded', { notice: id, reason: messageOf(error) })
          return
        }
        await pause(RECORD_AGAIN_MS, this.#stop.signal)
      }
    }
  }
}

function tooSlow(): RelayError {
  return new RelayError('INTERNAL', `the notifier did not end within ${SEND_LIMIT_MS / 1000} s`)
}
