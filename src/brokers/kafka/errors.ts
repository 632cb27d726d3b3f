import kafkajs from 'kafkajs'
import { type ErrorCode, messageOf, RelayError } from '../../core/errors.js'
import type { KafkaSettings } from './settings.js'

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
  TOPIC_DELETION_DISABLED: 'set delete.topic.enable=true on the brokers',
  SECURITY_DISABLED: 'set authorizer.class.name on the brokers to use ACLs',
  NON_EMPTY_GROUP: 'stop its consumers first',
}

/** Judges what kafkajs threw. `doing` completes the sentence "Kafka at … failed while …". */
export function judge(thrown: unknown, doing: string, servers: readonly string[]): Verdict {
  if (thrown instanceof RelayError) return { remedy: 'retry', error: thrown }
  const cause = rootCause(thrown)
  const at = brokerOf(cause) ?? servers.join(',')
  const [code, remedy] = judgementOf(cause)
  const cure = cause instanceof KafkaJSProtocolError ? CURES[cause.type] : undefined
  const reason = messageOf(cause) + (cure === undefined ? '' : `: ${cure}`)
  return {
    remedy,
    error: new RelayError(code, `Kafka at ${at} failed while ${doing}: ${reason}`, { cause: thrown }),
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
  if (cause instanceof KafkaJSConnectionError) {
    return [TLS_ALERT.test(codeOf(cause)) ? 'AUTHENTICATION_FAILED' : 'BROKER_UNREACHABLE', 'retry']
  }
  switch (cause.name) {
    case 'KafkaJSSASLAuthenticationError':
      return ['AUTHENTICATION_FAILED', 'reject']
    case 'KafkaJSNotImplemented':
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

/** How OpenSSL names what the other side refused. */
const TLS_ALERT = /^ERR_SSL_.*ALERT/

/** Codes of Node.js for a broker whose certificate leads to no trusted authority. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** The settings to look at, with their values, as a clause; empty where no setting is to blame. */
function cureOf(cause: unknown, { ssl, sasl }: Circumstances): string {
  if (!(cause instanceof KafkaJSError)) return ''
  if (cause.name === 'KafkaJSSASLAuthenticationError' || nameOf(cause).includes('SASL')) {
    return `; check sasl.mechanism ${sasl?.mechanism ?? '(not set)'} and the credentials under sasl${
      sasl?.username === undefined ? '' : ` of sasl.username "${sasl.username}"`
    }`
  }
  const code = codeOf(cause)
  if (TLS_ALERT.test(code)) {
    return ssl.cert === undefined
      ? '; the broker demands a client certificate: set ssl.cert and ssl.key'
      : '; the broker does not accept the client certificate in ssl.cert: give one of an authority it trusts'
  }
  if (UNTRUSTED.has(code)) {
    return `; no authority in ${
      ssl.ca === undefined ? "Node.js's own list (ssl.ca is not set)" : 'ssl.ca'
    } signed the certificate of the broker: set ssl.ca to the certificate of the one that did`
  }
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return '; the certificate of the broker is to be renewed'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `; correct the address, or set ssl.serverName${
        ssl.serverName === undefined ? '' : ` "${ssl.serverName}"`
      } to a name in the certificate of the broker`
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return '; the broker speaks no TLS at this port: correct the port, or set ssl.enabled to false'
    default:
      break
  }
  const lacking = [...(ssl.enabled ? [] : ['TLS (ssl.enabled is false)']), ...(sasl ? [] : ['a login (sasl is not set)'])]
  return cause instanceof KafkaJSConnectionClosedError && lacking.length > 0
    ? `; brokers do so where they demand ${lacking.join(' or ')}`
    : ''
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function nameOf(error: Error): string {
  return error instanceof KafkaJSProtocolError ? error.type : ''
}

/** kafkajs wraps what ended its retries, sometimes twice, and what a request for several things answered. */
function rootCause(thrown: unknown): unknown {
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
