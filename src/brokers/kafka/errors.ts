import kafkajs from 'kafkajs'
import { type ErrorCode, messageOf, RelayError } from '../../core/errors.js'

// CommonJS: Node.js sees the error classes only on the default export.
const { KafkaJSConnectionError, KafkaJSError, KafkaJSProtocolError, KafkaJSRequestTimeoutError } = kafkajs

/**
 * What a failed send means for its batch.
 * - `split`: one message of the batch is to blame; the others may pass without it.
 * - `reject`: nothing of this topic, or of this adapter, can pass.
 * - `retry`: the same may succeed later.
 * - `lookup`: what is known about the topic may be out of date; look again, then retry.
 */
export type Remedy = 'split' | 'reject' | 'retry' | 'lookup'

export interface Verdict {
  remedy: Remedy
  error: RelayError
}

type Judgement = readonly [ErrorCode, Remedy]

const JUDGEMENTS: Readonly<Record<string, Judgement>> = {
  MESSAGE_TOO_LARGE: ['MESSAGE_TOO_LARGE', 'split'],
  RECORD_LIST_TOO_LARGE: ['MESSAGE_TOO_LARGE', 'split'],
  INVALID_RECORD: ['BROKER_REFUSED', 'split'],
  INVALID_TIMESTAMP: ['BROKER_REFUSED', 'split'],
  CORRUPT_MESSAGE: ['BROKER_REFUSED', 'split'],
  INVALID_TOPIC_EXCEPTION: ['TOPIC_INVALID', 'reject'],
  TOPIC_AUTHORIZATION_FAILED: ['NOT_AUTHORIZED', 'reject'],
  CLUSTER_AUTHORIZATION_FAILED: ['NOT_AUTHORIZED', 'reject'],
  SASL_AUTHENTICATION_FAILED: ['AUTHENTICATION_FAILED', 'reject'],
  UNSUPPORTED_SASL_MECHANISM: ['AUTHENTICATION_FAILED', 'reject'],
  UNKNOWN_TOPIC_OR_PARTITION: ['TOPIC_UNKNOWN', 'lookup'],
  LEADER_NOT_AVAILABLE: ['BROKER_UNAVAILABLE', 'lookup'],
  NOT_LEADER_FOR_PARTITION: ['BROKER_UNAVAILABLE', 'lookup'],
  REQUEST_TIMED_OUT: ['BROKER_TIMEOUT', 'retry'],
  // The broker lost track of the producer; a new one starts afresh.
  OUT_OF_ORDER_SEQUENCE_NUMBER: ['BROKER_UNAVAILABLE', 'retry'],
  DUPLICATE_SEQUENCE_NUMBER: ['BROKER_UNAVAILABLE', 'retry'],
  UNKNOWN_PRODUCER_ID: ['BROKER_UNAVAILABLE', 'retry'],
  INVALID_PRODUCER_EPOCH: ['BROKER_UNAVAILABLE', 'retry'],
  UNKNOWN: ['BROKER_UNAVAILABLE', 'retry'],
}

/** Judges what kafkajs threw. `doing` completes the sentence "Kafka at … failed while …". */
export function judge(thrown: unknown, doing: string, servers: readonly string[]): Verdict {
  if (thrown instanceof RelayError) return { remedy: 'retry', error: thrown }
  const cause = rootCause(thrown)
  const at = brokerOf(cause) ?? servers.join(',')
  const [code, remedy] = judgementOf(cause)
  return {
    remedy,
    error: new RelayError(code, `Kafka at ${at} failed while ${doing}: ${messageOf(cause)}`, {
      cause: thrown,
    }),
  }
}

/** The error of a request given up by our own time limit. `doing` as above. */
export function unanswered(doing: string, servers: readonly string[]): RelayError {
  return new RelayError('BROKER_TIMEOUT', `Kafka at ${servers.join(',')} did not answer while ${doing}`)
}

function judgementOf(cause: unknown): Judgement {
  if (cause instanceof KafkaJSProtocolError) {
    return (
      JUDGEMENTS[cause.type] ??
      (cause.retriable ? ['BROKER_UNAVAILABLE', 'retry'] : ['BROKER_REFUSED', 'split'])
    )
  }
  if (!(cause instanceof KafkaJSError)) {
    // What kafkajs says of a broker that took the connection and did not answer the first request.
    if (messageOf(cause) === 'Broker not connected') return ['BROKER_TIMEOUT', 'retry']
    // Its own missteps after lost connections, which a new client cures; or a message it cannot encode.
    return ['BROKER_UNAVAILABLE', 'split']
  }
  if (cause instanceof KafkaJSRequestTimeoutError) return ['BROKER_TIMEOUT', 'retry']
  if (cause instanceof KafkaJSConnectionError) return ['BROKER_UNREACHABLE', 'retry']
  switch (cause.name) {
    case 'KafkaJSSASLAuthenticationError':
      return ['AUTHENTICATION_FAILED', 'reject']
    case 'KafkaJSTimeout':
    case 'KafkaJSLockTimeout':
      return ['BROKER_TIMEOUT', 'retry']
    case 'KafkaJSMetadataNotLoaded':
    case 'KafkaJSTopicMetadataNotLoaded':
      return ['BROKER_UNAVAILABLE', 'lookup']
    default:
      return ['BROKER_UNAVAILABLE', 'retry']
  }
}

/** kafkajs wraps what ended its retries, sometimes twice. */
function rootCause(thrown: unknown): unknown {
  let cause = thrown
  while (
    cause instanceof KafkaJSError &&
    (cause.name === 'KafkaJSNumberOfRetriesExceeded' || cause.name === 'KafkaJSNonRetriableError') &&
    cause.cause instanceof Error
  ) {
    cause = cause.cause
  }
  return cause
}

function brokerOf(cause: unknown): string | undefined {
  if (cause instanceof KafkaJSConnectionError || cause instanceof KafkaJSRequestTimeoutError) {
    return cause.broker
  }
  return undefined
}
