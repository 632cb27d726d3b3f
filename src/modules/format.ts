import { type TProperties, Type } from 'typebox'
import { SERIALIZATIONS } from '../adapters/serialization/serializer.js'
import { METRICS } from '../alerts/metrics.js'
import { SEVERITIES } from '../alerts/notice.js'
import { OPERATORS } from '../alerts/policy.js'
import { MESSAGE_ORDERS } from '../brokers/subscription.js'
import { STARTUP_POSITIONS } from '../trigger/positions.js'
import { ACKNOWLEDGE, ON_UNDESERIALIZABLE, TRIGGER_STATES } from '../trigger/trigger.js'

const closed = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false })
const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Optional(Type.Union([schema, Type.Null()]))

const name = Type.String({ minLength: 1 })
const description = Type.Optional(Type.String())
const settings = Type.Optional(Type.Record(Type.String(), Type.Unknown()))
const enabled = Type.Optional(Type.Boolean())
const flag = Type.Optional(Type.Boolean())
const names = Type.Optional(Type.Array(Type.String()))
const text = Type.Optional(Type.String())
const count = Type.Optional(Type.Integer())

const Variable = closed({
  name,
  value: text,
  valueFrom: Type.Optional(closed({ env: text, file: text })),
  secret: flag,
  description,
})

const Adapter = closed({
  name,
  kind: Type.String(),
  address: Type.String(),
  description,
  settings,
  keySerialization: Type.Optional(Type.Enum([...SERIALIZATIONS])),
  valueSerialization: Type.Optional(Type.Enum([...SERIALIZATIONS])),
  auditRequests: flag,
  logResults: flag,
  slaMonitoring: flag,
  enabled,
})

const Notifier = closed({ name, kind: Type.String(), description, settings, enabled })

const AlertPolicy = closed({
  name,
  description,
  enabled,
  metric: Type.Enum(keysOf(METRICS)),
  operator: Type.Enum(keysOf(OPERATORS)),
  threshold: Type.Number(),
  recoveryThreshold: orNull(Type.Number()),
  windowMinutes: orNull(Type.Integer()),
  forSeconds: count,
  severity: Type.Optional(Type.Enum([...SEVERITIES])),
  adapters: names,
  adapterKind: orNull(Type.String()),
  operation: orNull(Type.String()),
  processId: orNull(Type.String()),
  inTotal: flag,
  owners: names,
  notifiers: names,
})

/** What a trigger does, by its kind. */
export const ACTIONS = {
  start: closed({ kind: Type.Literal('start'), processId: Type.String(), version: orNull(Type.Integer()) }),
  message: closed({
    kind: Type.Literal('message'),
    name: Type.String(),
    correlationKey: Type.String(),
    messageId: orNull(Type.String()),
    ttlMs: count,
  }),
  forward: closed({ kind: Type.Literal('forward'), adapter: Type.String(), topic: orNull(Type.String()) }),
}

/** Exactly one of its members. */
export const FILTER = closed({ tags: names, sql: text })

/** As the positions of partitions are written: a list of one-entry maps. */
const offsets = Type.Array(
  Type.Record(Type.String(), Type.Union([Type.Integer(), Type.BigInt(), Type.String()])),
)

export const STARTUP_POSITION = closed({
  type: Type.Enum([...STARTUP_POSITIONS]),
  offsets: Type.Optional(offsets),
  date: text,
})

const Trigger = closed({
  name,
  description,
  adapter: Type.String(),
  topics: names,
  topicPattern: orNull(Type.String()),
  filter: orNull(FILTER),
  group: text,
  order: Type.Optional(Type.Enum([...MESSAGE_ORDERS])),
  concurrency: orNull(Type.Integer()),
  // The rest of it by its kind.
  action: Type.Object({ kind: Type.Enum(keysOf(ACTIONS)) }),
  activationCondition: orNull(Type.String()),
  variables: orNull(Type.String()),
  acknowledge: Type.Optional(Type.Enum([...ACKNOWLEDGE])),
  completionTimeoutMs: orNull(Type.Integer()),
  initialOffset: text,
  onUndeserializable: Type.Optional(Type.Enum([...ON_UNDESERIALIZABLE])),
  maxAttempts: count,
  retryBackOffMs: count,
  retryBackOffMaxMs: count,
  deadLetterTopic: orNull(Type.String()),
  deadLetterAdapter: orNull(Type.String()),
  state: Type.Optional(Type.Enum([...TRIGGER_STATES])),
  startupPosition: Type.Optional(STARTUP_POSITION),
})

/**
 * The parts of a file, in the order in which they are applied, and what an item of each may say. A field has the name of
 * the setting; what else is there is referred to by name.
 */
export const SECTIONS = {
  variables: Variable,
  adapters: Adapter,
  notifiers: Notifier,
  alertPolicies: AlertPolicy,
  triggers: Trigger,
} as const
export type SectionKey = keyof typeof SECTIONS
export const SECTION_KEYS = keysOf(SECTIONS)

function keysOf<T extends object>(object: T): (keyof T & string)[] {
  const keys: (keyof T & string)[] = []
  for (const key in object) keys.push(key)
  return keys
}
