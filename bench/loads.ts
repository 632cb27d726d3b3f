import { Type } from 'typebox'
import { Measured } from './measure.js'

/** What children on the road are asked to send, and what they answer. */

/** A run ends at whichever comes first; messages begun by then are finished. */
const Limit = Type.Object({ messages: Type.Number(), ms: Type.Optional(Type.Number()) })

const Messages = Type.Object({
  /** Messages take turns over them. */
  topics: Type.Array(Type.String()),
  /** About the size of a value. */
  bytes: Type.Number(),
  /** Each message has a key of its own. */
  keyed: Type.Boolean(),
  limit: Limit,
})

/** For `road-relay`. */
export const RelayLoad = Type.Object({
  ...Messages.properties,
  /** Names; messages take turns over them. */
  adapters: Type.Array(Type.String()),
  inFlight: Type.Number(),
})

/** For `road-raw-ali-ons` and `road-raw-rocketmq-grpc`: single sends, each awaited. */
export const RocketmqRawLoad = Type.Object({
  ...Type.Omit(Messages, ['keyed']).properties,
  /** At the same time. */
  sends: Type.Number(),
})

/** For `road-raw`. */
export const RawLoad = Type.Object({
  ...Messages.properties,
  compression: Type.Enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']),
  /** Values alone, not idempotent; else the records bpmn-relay writes, as safe as it writes them. */
  isPlain: Type.Boolean(),
  /** Messages handed to kafkajs by one call. */
  perSend: Type.Number(),
  /** Calls at the same time, each awaited. */
  sends: Type.Number(),
})

export const Sent = Type.Object({
  ...Measured.properties,
  messages: Type.Number(),
  /** Of a job, or of a send of a client library. */
  p50Ms: Type.Number(),
  p99Ms: Type.Number(),
  /** That carried messages over the wire; 0 over gRPC, where they cannot be counted. */
  requests: Type.Number(),
})
