import kafkajs from 'kafkajs'
import { type ErrorCode, messageOf, RelayError } from '../../core/errors.js'
import { type Circumstances, connectionCure, isTlsRefusal, loginCure } from './connection-cure.js'

// CommonJS: Node.js sees the error classes only on the default export.
const {
  KafkaJSAggregateError,
  KafkaJSConnectionError,
  KafkaJSDeleteGroupsError,
  KafkaJSError,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
} = kafkajs

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
  GROUP_AUTHORIZATION_FAILED: ['NOT_AUTHORIZED', 'reject'],
  GROUP_ID_NOT_FOUND: ['NOT_FOUND', 'reject'],
}

/** What to do about refusals that operators meet; the broker's reason says what is wrong, not what would be right. */
const CURES: Readonly<Record<string, string>> = {
  INVALID_TOPIC_EXCEPTION: 'use 1 to 249 letters, digits, ".", "_" or "-"',
  INVALID_PARTITIONS: 'a topic has at least one partition, and their number can only grow',
  INVALID_REPLICATION_FACTOR: 'use at most as many replicas as there are brokers, and at least one',
  INVALID_CONFIG: 'correct the name or the value of the config',
  POLICY_VIOLATION: 'the policy of the cluster says what it allows',
  SECURITY_DISABLED: 'set authorizer.class.name on the brokers to use ACLs',
  NON_EMPTY_GROUP: 'stop its consumers first',
  GROUP_AUTHORIZATION_FAILED: 'let the principal of this adapter READ the group by an ACL',
  TOPIC_AUTHORIZATION_FAILED:
    'let the principal of this adapter READ (to consume) or WRITE (to publish) the topic by an ACL',
  INCONSISTENT_GROUP_PROTOCOL:
    'its other members share the partitions by neither range nor roundrobin: let them offer one of these, or use another group',
  INVALID_SESSION_TIMEOUT:
    'set consumer.sessionTimeoutMs between group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers',
  GROUP_MAX_SIZE_REACHED: 'raise group.max.size of the brokers, or stop another member',
}

/** Judges what kafkajs threw. `doing` completes the sentence "Kafka at … failed while …". */
export function judge(thrown: unknown, doing: string, circumstances: Circumstances): Verdict {
  const cause = rootCause(thrown)
  if (cause instanceof RelayError) return { remedy: 'retry', error: cause }
  const at = brokerOf(cause) ?? circumstances.bootstrapServers.join(',')
  const [code, remedy] = judgementOf(cause)
  const cure = cureOf(code, cause, circumstances)
  const reason = messageOf(cause) + (cure === undefined ? '' : `: ${cure}`)
  return {
    remedy,
    error: new RelayError(code, `Kafka at ${at} failed while ${doing}: ${reason}`, { cause: thrown }),
  }
}

function cureOf(code: ErrorCode, cause: unknown, circumstances: Circumstances): string | undefined {
  const cure = connectionCure(cause, circumstances)
  if (cure !== undefined) return cure
  if (code === 'AUTHENTICATION_FAILED') return loginCure(circumstances)
  return cause instanceof KafkaJSProtocolError ? CURES[cause.type] : undefined
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
  if (cause instanceof KafkaJSConnectionError) {
    return [isTlsRefusal(cause) ? 'AUTHENTICATION_FAILED' : 'BROKER_UNREACHABLE', 'retry']
  }
  switch (cause.name) {
    case 'KafkaJSSASLAuthenticationError':
      return ['AUTHENTICATION_FAILED', 'reject']
    case 'KafkaJSServerDoesNotSupportApiKey':
      return ['NOT_SUPPORTED', 'reject']
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

/** kafkajs wraps what ended its retries, sometimes twice, and what a request for several things answered. */
export function rootCause(thrown: unknown): unknown {
  let cause = thrown
  for (let inner = wrapped(cause); inner !== undefined; inner = wrapped(cause)) cause = inner
  return cause
}

function wrapped(thrown: unknown): unknown {
  if (thrown instanceof KafkaJSAggregateError) return thrown.errors[0]
  if (thrown instanceof KafkaJSDeleteGroupsError) return thrown.groups[0]?.error
  if (!(thrown instanceof KafkaJSError)) return undefined
  const isWrapper =
    thrown.name === 'KafkaJSNumberOfRetriesExceeded' || thrown.name === 'KafkaJSNonRetriableError'
  return isWrapper && thrown.cause instanceof Error ? thrown.cause : undefined
}

function brokerOf(cause: unknown): string | undefined {
  if (cause instanceof KafkaJSConnectionError || cause instanceof KafkaJSRequestTimeoutError) {
    return cause.broker
  }
  return undefined
}
