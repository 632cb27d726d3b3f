import { validate as isUuid, v7 as uuidv7 } from 'uuid'
import { RelayError } from '../core/errors.js'
import { type Database, violatesReference } from '../db/database.js'
import { unlessNameIsTaken } from '../db/taken-names.js'
import type { GroupMove, Trigger, TriggerSettings, TriggerState } from './trigger.js'
import type { TriggerAdapters } from './trigger-adapters.js'
import { triggerOf } from './trigger-row.js'
import { checkedTrigger, type NewTrigger, withChanges, withDefaults } from './trigger-settings.js'

type Queries = Pick<Database, 'query'>

/** Columns of what can be set, by the name of the setting. */
const SETTINGS = {
  name: 'name',
  description: 'description',
  adapterId: 'adapter_id',
  topics: 'topics',
  topicPattern: 'topic_pattern',
  filter: 'filter',
  group: 'group_id',
  order: 'message_order',
  concurrency: 'concurrency',
  action: 'action',
  activationCondition: 'activation_condition',
  variables: 'variables',
  acknowledge: 'acknowledge',
  completionTimeoutMs: 'completion_timeout_ms',
  initialOffset: 'initial_offset',
  onUndeserializable: 'on_undeserializable',
  maxAttempts: 'max_attempts',
  retryBackOffMs: 'retry_back_off_ms',
  retryBackOffMaxMs: 'retry_back_off_max_ms',
  deadLetterTopic: 'dead_letter_topic',
  deadLetterAdapterId: 'dead_letter_adapter_id',
  state: 'state',
} as const satisfies Record<keyof TriggerSettings, string>

const SELECTED = Object.entries({
  id: 'id',
  ...SETTINGS,
  pendingMoves: 'pending_moves',
  managed: 'managed',
  revision: 'revision',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
})
  .map(([name, column]) => `${column} AS "${name}"`)
  .join(', ')

/** By name. */
export async function triggers(database: Queries): Promise<Trigger[]> {
  return (await database.query(`SELECT ${SELECTED} FROM trigger ORDER BY name`)).map(triggerOf)
}

/** @throws RelayError NOT_FOUND */
export async function trigger(database: Queries, idOrName: string): Promise<Trigger> {
  const by = isUuid(idOrName) ? 'id = $1::uuid' : 'name = $1'
  const [row] = await database.query(`SELECT ${SELECTED} FROM trigger WHERE ${by}`, [idOrName])
  if (row) return triggerOf(row)
  throw new RelayError(
    'NOT_FOUND',
    `there is no trigger "${idOrName}": \`bpmn-relay trigger list\` shows them all`,
  )
}

/**
 * @param moves where its group begins; none: at its own offsets.
 * @throws RelayError SETTINGS_INVALID, NAME_TAKEN
 */
export async function createTrigger(
  database: Queries,
  given: NewTrigger,
  adapters: TriggerAdapters,
  { moves = [], managed = false }: { moves?: readonly GroupMove[]; managed?: boolean } = {},
): Promise<Trigger> {
  const entries: [string, unknown][] = [
    ['id', uuidv7()],
    ...columnsOf(checkedTrigger(withDefaults(given, adapters), adapters)),
    ['pending_moves', JSON.stringify(moves)],
    ['managed', managed],
  ]
  const [row] = await written(given.name, () =>
    database.query(
      `INSERT INTO trigger (${entries.map(([column]) => column).join(', ')})
       VALUES (${entries.map((_, i) => `$${i + 1}`).join(', ')}) RETURNING ${SELECTED}`,
      entries.map(([, value]) => value),
    ),
  )
  return triggerOf(row)
}

/** @throws RelayError NOT_FOUND, SETTINGS_INVALID, NAME_TAKEN */
export async function updateTrigger(
  database: Queries,
  idOrName: string,
  changes: Partial<TriggerSettings>,
  adapters: TriggerAdapters,
  { managed }: { managed?: boolean | undefined } = {},
): Promise<Trigger> {
  const known = await trigger(database, idOrName)
  const entries: [string, unknown][] = [
    ...columnsOf(checkedTrigger(withChanges(settingsOf(known), changes), adapters)),
    ['managed', managed ?? known.managed],
  ]
  const rows = await written(changes.name ?? known.name, () =>
    database.query(
      `${updateOf(entries.map(([column], i) => `${column} = $${i + 3}`))}
       WHERE id = $1 AND revision = $2 RETURNING ${SELECTED}`,
      [known.id, known.revision, ...entries.map(([, value]) => value)],
    ),
  )
  // Somebody else was quicker: on top of what is there now, or nothing is.
  return rows[0]
    ? triggerOf(rows[0])
    : await updateTrigger(database, known.id, changes, adapters, { managed })
}

/** What its group has read stays at the broker; its dead letters stay, too. @throws RelayError NOT_FOUND */
export async function deleteTrigger(database: Queries, idOrName: string): Promise<Trigger> {
  const known = await trigger(database, idOrName)
  await database.query('DELETE FROM trigger WHERE id = $1', [known.id])
  return known
}

/** Nothing else of the trigger is looked at, so that a broken one can be stopped. @throws RelayError NOT_FOUND */
export async function setState(database: Queries, idOrName: string, state: TriggerState): Promise<Trigger> {
  const { id } = await trigger(database, idOrName)
  return await changed(database, id, 'state = $2', state)
}

/**
 * Has the workers move the group, after the moves that are still to be made; one of all topics and partitions takes
 * the place of those before it.
 * @throws RelayError NOT_FOUND
 */
export async function requestMoves(
  database: Queries,
  idOrName: string,
  moves: readonly GroupMove[],
): Promise<Trigger> {
  const { id } = await trigger(database, idOrName)
  const last = moves.findLastIndex(({ topic, partitions }) => topic === undefined && partitions === undefined)
  const [before, heeded] = last < 0 ? ['pending_moves', moves] : [`'[]'`, moves.slice(last)]
  return await changed(database, id, `pending_moves = ${before} || $2::jsonb`, JSON.stringify(heeded))
}

/**
 * The moves that a trigger of this revision had are made.
 * @returns false when the trigger has changed meanwhile, and nothing was done: there may be others to make.
 */
export async function movesDone(database: Queries, id: string, revision: number): Promise<boolean> {
  const rows = await database.query(
    `${updateOf([`pending_moves = '[]'`])} WHERE id = $1 AND revision = $2 RETURNING id`,
    [id, revision],
  )
  return rows.length > 0
}

async function changed(database: Queries, id: string, set: string, value: unknown): Promise<Trigger> {
  const [row] = await database.query(`${updateOf([set])} WHERE id = $1 RETURNING ${SELECTED}`, [id, value])
  if (row) return triggerOf(row)
  throw new RelayError('NOT_FOUND', `trigger ${id} was deleted meanwhile`)
}

function updateOf(sets: readonly string[]): string {
  return `UPDATE trigger SET ${[...sets, 'revision = revision + 1', 'updated_at = now()'].join(', ')}`
}

async function written<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await unlessNameIsTaken('a trigger', name, write)
  } catch (cause) {
    if (!violatesReference(cause)) throw cause
    const message = `an adapter that trigger "${name}" refers to was deleted meanwhile: choose another one`
    throw new RelayError('SETTINGS_INVALID', message, { cause })
  }
}

/** Of a trigger only what can be set. */
export function settingsOf(known: Trigger): TriggerSettings {
  const { id: _, pendingMoves: __, managed: ___, revision: ____, createdAt, updatedAt, ...settings } = known
  return settings
}

function columnsOf(settings: TriggerSettings): [column: string, value: unknown][] {
  const { filter, action, ...plain } = settings
  const values = { ...plain, filter: filter && JSON.stringify(filter), action: JSON.stringify(action) }
  return Object.entries(values).map(([name, value]) => {
    if (!isSetting(name)) throw new RelayError('INTERNAL', `a trigger has no setting ${name}`)
    return [SETTINGS[name], value]
  })
}

function isSetting(name: string): name is keyof typeof SETTINGS {
  return Object.hasOwn(SETTINGS, name)
}
