import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { validate as isUuid } from 'uuid'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import type { Session } from '../db/session.js'
import type { DeadLetter } from './dead-letter.js'
import {
  conditionsOf,
  DEAD_LETTER_COLUMNS,
  type DeadLetterFilter,
  parseDeadLetter,
  unknownLetter,
} from './dead-letters.js'
import { errorTextOf } from './give-up.js'
import type { TriggerOutcome } from './trigger-outcome.js'

/** Which of the letters that wait: named ones, or all that pass a filter. */
export type DeadLetterChoice = { ids: readonly string[] } | { filter: Omit<DeadLetterFilter, 'state'> }

/** Letters of one choice at most. */
export const MOST_CHOSEN = 100_000

const text = Type.Union([Type.String(), Type.Null()])
const StateRow = Compile(Type.Object({ id: Type.String(), state: Type.String(), resolvedBy: text }))
const Label = Type.Object({
  id: Type.String(),
  triggerName: Type.String(),
  adapterId: Type.String(),
  adapterName: Type.String(),
  adapterKind: text,
  requestId: Type.String(),
  topic: Type.String(),
})
const LabelRow = Compile(Label)

/** What the audit log says of a letter; the kind is null once the adapter is deleted. */
export type LetterLabel = Static<typeof Label>

const LABEL_COLUMNS = `letter.id, letter.trigger_name AS "triggerName", letter.adapter_id AS "adapterId",
  letter.adapter_name AS "adapterName", letter.request_id AS "requestId", letter.topic,
  (SELECT kind FROM adapter WHERE adapter.id = letter.adapter_id) AS "adapterKind"`

/**
 * The ids of a choice, in the order of arrival: the oldest `MOST_CHOSEN` that a filter finds.
 * @throws RelayError NOT_FOUND for an id that no letter has; INPUT_INVALID for a letter that does not wait any more
 */
export async function chosenLetters(
  database: Pick<Database, 'query'>,
  choice: DeadLetterChoice,
): Promise<string[]> {
  if ('ids' in choice) await assertWaiting(database, choice.ids)
  const { conditions, values, parameter } = conditionsOf({
    ...('filter' in choice ? choice.filter : undefined),
    state: 'waiting',
  })
  if ('ids' in choice) conditions.push(`letter.id = ANY(${parameter(choice.ids)}::uuid[])`)
  const rows = await database.query<{ id: string }>(
    `SELECT letter.id FROM dead_letter AS letter WHERE ${conditions.join(' AND ')}
     ORDER BY letter.at, letter.id LIMIT ${MOST_CHOSEN}`,
    values,
  )
  return rows.map(({ id }) => id)
}

async function assertWaiting(database: Pick<Database, 'query'>, ids: readonly string[]): Promise<void> {
  const rows = await database.query(
    'SELECT id, state, resolved_by AS "resolvedBy" FROM dead_letter WHERE id = ANY($1::uuid[])',
    [ids.filter((id) => isUuid(id))],
  )
  const known = new Map(rows.map((row) => StateRow.Parse(row)).map((row) => [row.id, row]))
  for (const id of ids) {
    const letter = known.get(id.toLowerCase())
    if (!letter) throw unknownLetter(id)
    if (letter.state !== 'waiting') {
      throw new RelayError(
        'INPUT_INVALID',
        `dead letter ${id} does not wait any more: ${letter.resolvedBy ?? 'somebody'} has ${letter.state} it`,
      )
    }
  }
}

/** Under it nobody else replays or discards a letter. Not the row itself: the record of a replay writes that. */
const LOCK_OF_LETTER = `hashtextextended('dead-letter ' || id, 0)`

/**
 * Marks letters as discarded. Those that are being replayed just now, or are resolved already, are left alone.
 * @returns what was discarded
 */
export async function discardLetters(
  session: Session,
  ids: readonly string[],
  by: string,
  reason: string,
): Promise<LetterLabel[]> {
  const rows = await session.query(
    `WITH waiting AS MATERIALIZED (
       SELECT id FROM dead_letter WHERE id = ANY($1::uuid[]) AND state = 'waiting' ORDER BY id
     ), claimed AS MATERIALIZED (
       SELECT id FROM waiting WHERE pg_try_advisory_xact_lock(${LOCK_OF_LETTER}))
     UPDATE dead_letter AS letter
     SET state = 'discarded', resolved_at = now(), resolved_by = $2, resolved_note = $3
     FROM claimed WHERE letter.id = claimed.id AND letter.state = 'waiting'
     RETURNING ${LABEL_COLUMNS}`,
    [ids, by, reason],
  )
  return rows.map((row) => LabelRow.Parse(row))
}

/** A letter that this session alone may replay, until it is let go. */
export interface ClaimedLetter {
  letter: DeadLetter
  label: LetterLabel
}

/** Undefined when it does not wait any more, or somebody else has it in hand. */
export async function claimLetter(session: Session, id: string): Promise<ClaimedLetter | undefined> {
  const [lock] = await session.query(
    `SELECT pg_try_advisory_lock(${LOCK_OF_LETTER}) AS taken FROM (SELECT $1::uuid AS id) AS letter`,
    [id],
  )
  if (!lock?.taken) return undefined
  // Only now: whoever had it before has recorded what became of it.
  const [row] = await session.query(
    `SELECT ${DEAD_LETTER_COLUMNS}, (SELECT kind FROM adapter WHERE adapter.id = letter.adapter_id) AS "adapterKind"
     FROM dead_letter AS letter WHERE letter.id = $1 AND letter.state = 'waiting'`,
    [id],
  )
  if (row) return { letter: parseDeadLetter(row), label: LabelRow.Parse(row) }
  await releaseLetters(session, [id])
  return undefined
}

/** What is not released goes with the session. */
export async function releaseLetters(session: Session, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await session.query(`SELECT pg_advisory_unlock(${LOCK_OF_LETTER}) FROM unnest($1::uuid[]) AS letter(id)`, [
    ids,
  ])
}

/** Ends the wait of a letter, by what came of its replay: one that failed once more waits on, with the new reason. */
export async function resolveReplayed(
  session: Session,
  id: string,
  by: string,
  outcome: TriggerOutcome,
): Promise<void> {
  if (outcome.kind === 'failed') {
    const { stage, error } = outcome
    await session.query(
      `UPDATE dead_letter SET attempts = attempts + 1, stage = $2, error_code = $3, error_text = $4 WHERE id = $1`,
      [id, stage, error.code, errorTextOf(error)],
    )
  } else {
    await session.query(
      `UPDATE dead_letter SET attempts = attempts + 1, state = 'replayed', resolved_at = now(), resolved_by = $2
       WHERE id = $1`,
      [id, by],
    )
  }
}
