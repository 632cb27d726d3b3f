import { type TProperties, Type } from 'typebox'
import { Value } from 'typebox/value'
import { MESSAGE_ORDERS } from '../brokers/subscription.js'
import { Timestamp } from '../db/row-types.js'
import { ACKNOWLEDGE, ON_UNDESERIALIZABLE, TRIGGER_STATES, type Trigger } from './trigger.js'

const closed = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false })
const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()])
const optionalText = orNull(Type.String())
const optionalNumber = orNull(Type.Integer())

const Move = closed({
  to: Type.Union([
    closed({ at: Type.Union([Type.Literal('earliest'), Type.Literal('latest')]) }),
    closed({ at: Type.Literal('offset'), offset: Type.String() }),
    closed({ at: Type.Literal('time'), time: Type.Number() }),
  ]),
  topic: Type.Optional(Type.String()),
  partitions: Type.Optional(Type.Array(Type.Integer())),
})

const TriggerRow = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  adapterId: Type.String(),
  topics: Type.Array(Type.String()),
  topicPattern: optionalText,
  filter: orNull(Type.Union([closed({ tags: Type.Array(Type.String()) }), closed({ sql: Type.String() })])),
  group: Type.String(),
  order: Type.Enum([...MESSAGE_ORDERS]),
  concurrency: optionalNumber,
  action: Type.Union([
    closed({ kind: Type.Literal('start'), processId: Type.String(), version: optionalNumber }),
    closed({
      kind: Type.Literal('message'),
      name: Type.String(),
      correlationKey: Type.String(),
      messageId: optionalText,
      ttlMs: Type.Integer(),
    }),
    closed({ kind: Type.Literal('forward'), adapterId: Type.String(), topic: optionalText }),
  ]),
  activationCondition: optionalText,
  variables: optionalText,
  acknowledge: Type.Enum([...ACKNOWLEDGE]),
  completionTimeoutMs: optionalNumber,
  initialOffset: Type.Enum(['latest', 'earliest']),
  onUndeserializable: Type.Enum([...ON_UNDESERIALIZABLE]),
  maxAttempts: Type.Integer(),
  retryBackOffMs: Type.Integer(),
  retryBackOffMaxMs: Type.Integer(),
  deadLetterTopic: optionalText,
  deadLetterAdapterId: optionalText,
  state: Type.Enum([...TRIGGER_STATES]),
  pendingMoves: Type.Array(Move),
  managed: Type.Boolean(),
  revision: Type.Integer(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
})

/** A row of `trigger`, its columns by the names of the settings. */
export function triggerOf(row: unknown): Trigger {
  return Value.Parse(TriggerRow, row)
}
