import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { validate as isUuid } from 'uuid'
import type { InboundMessage } from '../brokers/subscription.js'
import { RelayError } from '../core/errors.js'
import type { Database } from '../db/database.js'
import { Bytes, Timestamp } from '../db/row-types.js'
import {
  DEAD_LETTER_STAGES,
  DEAD_LETTER_STATES,
  type DeadLetter,
  type DeadLetterState,
  type StoredHeader,
} from './dead-letter.js'

type Queries = Pick<Database, 'query'>

/** What a dead letter must have; it must pass all that is given. */
export interface DeadLetterFilter {
  /** Id or name; a name also finds the letters of a deleted trigger. */
  trigger?: string | undefined
  /** Id or name, likewise. */
  adapter?: string | undefined
  topic?: string | undefined
  errorCode?: string | undefined
  stage?: string | undefined
  state?: DeadLetterState | undefined
  requestId?: string | undefined
  /** Given up from this moment on. */
  since?: Date | undefined
  /** Given up before this moment. */
  until?: Date | undefined
}

const text = Type.Union([Type.String(), Type.Null()])
const bytes = Type.Union([Bytes, Type.Null()])

const SUMMARY = {
  id: Type.String(),
  at: Timestamp,
  triggerId: Type.String(),
  triggerName: Type.String(),
  adapterId: Type.String(),
  adapterName: Type.String(),
  requestId: Type.String(),
  topic: Type.String(),
  partition: Type.Integer(),
  broker: text,
  offset: Type.String(),
  messageId: Type.String(),
  messageAt: Timestamp,
  tag: text,
  keys: Type.Union([Type.Array(Type.String()), Type.Null()]),
  messageGroup: text,
  attempts: Type.Integer(),
  stage: Type.Union(DEAD_LETTER_STAGES.map((stage) => Type.Literal(stage))),
  errorCode: Type.String(),
  errorText: Type.String(),
  state: Type.Union(DEAD_LETTER_STATES.map((state) => Type.Literal(state))),
  resolvedAt: Type.Union([Timestamp, Type.Null()]),
  resolvedBy: text,
  resolvedNote: text,
}
const Summary = Type.Object({ ...SUMMARY, valueBytes: Type.Union([Type.Integer(), Type.Null()]) })
const SummaryRow = Compile(Summary)
const LetterRow = Compile(
  Type.Object({
    ...SUMMARY,
    key: bytes,
    value: bytes,
    headers: Type.Record(
      Type.String(),
      Type.Array(Type.Union([Type.String(), Type.Object({ base64: Type.String() })])),
    ),
  }),
)
const PlaceRow = Compile(Type.Object({ place: Type.String() }))

/** A dead letter without what can be large. */
export type DeadLetterSummary = Static<typeof Summary>

const SUMMARY_COLUMNS = `letter.id, letter.at, letter.trigger_id AS "triggerId", letter.trigger_name AS "triggerName",
  letter.adapter_id AS "adapterId", letter.adapter_name AS "adapterName", letter.request_id AS "requestId",
  letter.topic, letter.partition, letter.broker, letter.queue_offset::text AS "offset",
  letter.message_id AS "messageId", letter.message_at AS "messageAt", letter.tag, letter.keys,
  letter.message_group AS "messageGroup", letter.attempts, letter.stage, letter.error_code AS "errorCode",
  letter.error_text AS "errorText", letter.state, letter.resolved_at AS "resolvedAt",
  letter.resolved_by AS "resolvedBy", letter.resolved_note AS "resolvedNote"`

/** The columns of `dead_letter AS letter` that `parseDeadLetter` takes. */
export const DEAD_LETTER_COLUMNS = `${SUMMARY_COLUMNS}, letter.key, letter.value, letter.headers`

/** With microseconds, which a date has not. */
const PLACE = `to_char(letter.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || letter.id`

export function parseDeadLetter(row: unknown): DeadLetter {
  return LetterRow.Parse(row)
}

export interface DeadLetterPage {
  /** The latest first. */
  letters: DeadLetterSummary[]
  /** Where the next page begins, for `after`; null when this is the last. */
  next: string | null
}

/** @throws RelayError INPUT_INVALID for a place that no page begins at */
export async function deadLetterPage(
  database: Queries,
  filter: DeadLetterFilter,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<DeadLetterPage> {
  const { conditions, values, parameter } = conditionsOf(filter)
  if (after !== undefined) {
    const { at, id } = positionOf(after)
    conditions.push(`(letter.at, letter.id) < (${parameter(at)}::timestamptz, ${parameter(id)}::uuid)`)
  }
  // One more than asked for tells whether there is a next page.
  const rows = await database.query(
    `SELECT ${SUMMARY_COLUMNS}, octet_length(letter.value) AS "valueBytes", ${PLACE} AS place
     FROM dead_letter AS letter ${where(conditions)}
     ORDER BY letter.at DESC, letter.id DESC LIMIT ${parameter(limit + 1)}`,
    values,
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    letters: shown.map(({ place: _, ...row }) => SummaryRow.Parse(row)),
    next: rows.length > limit && last ? PlaceRow.Parse(last).place : null,
  }
}

export async function deadLetterCount(database: Queries, filter: DeadLetterFilter): Promise<number> {
  const { conditions, values } = conditionsOf(filter)
  const [row] = await database.query<{ count: string }>(
    `SELECT count(*) FROM dead_letter AS letter ${where(conditions)}`,
    values,
  )
  return Number(row?.count)
}

/** @throws RelayError NOT_FOUND */
export async function deadLetterById(database: Queries, id: string): Promise<DeadLetter> {
  const [row] = isUuid(id)
    ? await database.query(`SELECT ${DEAD_LETTER_COLUMNS} FROM dead_letter AS letter WHERE letter.id = $1`, [
        id,
      ])
    : []
  if (row) return parseDeadLetter(row)
  throw unknownLetter(id)
}

export function unknownLetter(id: string): RelayError {
  return new RelayError(
    'NOT_FOUND',
    `there is no dead letter "${id}": \`bpmn-relay dead-letter list\` shows their ids`,
  )
}

/** The message again, as if it were delivered once more than before. */
export function inboundOf(letter: DeadLetter): InboundMessage {
  const { topic, partition, broker, messageId: id, offset, messageAt, attempts, key, value, headers } = letter
  return {
    ...{ topic, id, offset, key, value },
    queue: { topic, partition, broker: broker ?? undefined },
    timestamp: messageAt.getTime(),
    attempt: attempts + 1,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => {
        const [first = '', ...more] = values.map(headerBytes)
        return [name, more.length > 0 ? [first, ...more] : first]
      }),
    ),
    tag: letter.tag ?? undefined,
    keys: letter.keys ?? undefined,
    messageGroup: letter.messageGroup ?? undefined,
  }
}

function headerBytes(header: StoredHeader): string | Buffer {
  return typeof header === 'string' ? header : Buffer.from(header.base64, 'base64')
}

/** A filter as SQL over `dead_letter AS letter`, to which more may be added. */
export function conditionsOf(filter: DeadLetterFilter): {
  conditions: string[]
  values: unknown[]
  /** Adds a value; the text that stands for it. */
  parameter(value: unknown): string
} {
  const { trigger, adapter, topic, errorCode, stage, state, requestId, since, until } = filter
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const idOrName = (value: string | undefined) => (value !== undefined && isUuid(value) ? 'id' : 'name')
  const equal: [column: string, value: string | undefined][] = [
    [`trigger_${idOrName(trigger)}`, trigger],
    [`adapter_${idOrName(adapter)}`, adapter],
    ['topic', topic],
    ['error_code', errorCode],
    ['stage', stage],
    ['state', state],
    ['request_id', requestId],
  ]
  const conditions = equal.flatMap(([column, value]) =>
    value === undefined ? [] : [`letter.${column} = ${parameter(value)}`],
  )
  if (since) conditions.push(`letter.at >= ${parameter(since.toISOString())}::timestamptz`)
  if (until) conditions.push(`letter.at < ${parameter(until.toISOString())}::timestamptz`)
  return { conditions, values, parameter }
}

function where(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
}

function positionOf(after: string): { at: string; id: string } {
  const [, at, id] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)_(\S{36})$/.exec(after) ?? []
  if (at !== undefined && id !== undefined && !Number.isNaN(Date.parse(at)) && isUuid(id)) return { at, id }
  throw new RelayError(
    'INPUT_INVALID',
    `no page begins at "${after}": give what the page before told at its end`,
  )
}
