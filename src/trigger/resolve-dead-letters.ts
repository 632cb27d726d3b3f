import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { validate as isUuid } from 'uuid'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import type { Session } from '../db/session.js'
import type { DeadLetter, DeadLetterStage } from './dead-letter.js'
import {
  conditionsOf,
  DEAD_LETTER_COLUMNS,
  type DeadLetterFilter,
  parseDeadLetter,
  unknownLetter,
} from './dead-letters.js'

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
    `WITH claimed AS (
       SELECT id FROM dead_letter WHERE id = ANY($1::uuid[]) AND state = 'waiting' FOR UPDATE SKIP LOCKED)
     UPDATE dead_letter AS letter
     SET state = 'discarded', resolved_at = now(), resolved_by = $2, resolved_note = $3
     FROM claimed WHERE letter.id = claimed.id
     RETURNING ${LABEL_COLUMNS}`,
    [ids, by, reason],
  )
  return rows.map((row) => LabelRow.Parse(row))
}

/**
 * Takes a letter out of everybody else's reach until the transaction ends; undefined when it does not wait any more, or
 * somebody else has it in hand.
 */
export async function claimLetter(session: Session, id: string): Promise<ClaimedLetter | undefined> {
  const [row] = await session.query(
    `SELECT ${DEAD_LETTER_COLUMNS}, (SELECT kind FROM adapter WHERE adapter.id = letter.adapter_id) AS "adapterKind"
     FROM dead_letter AS letter WHERE letter.id = $1 AND letter.state = 'waiting' FOR UPDATE SKIP LOCKED`,
    [id],
  )
  return row && { letter: parseDeadLetter(row), label: LabelRow.Parse(row) }
}

export interface ClaimedLetter {
  letter: DeadLetter
  label: LetterLabel
}

/** Ends a claim: the trigger has handled the message. */
export async function markReplayed(session: Session, id: string, by: string): Promise<void> {
  await session.query(
    `UPDATE dead_letter SET state = 'replayed', resolved_at = now(), resolved_by = $2, attempts = attempts + 1
     WHERE id = $1`,
    [id, by],
  )
}

/** Ends a claim: the trigger has given the message up once more, and it waits on. */
export async function markFailedAgain(
  session: Session,
  id: string,
  { stage, error }: { stage: DeadLetterStage; error: RelayError },
): Promise<void> {
  await session.query(
    `UPDATE dead_letter SET attempts = attempts + 1, stage = $2, error_code = $3, error_text = $4 WHERE id = $1`,
    [id, stage, error.code, error.message],
  )
}
