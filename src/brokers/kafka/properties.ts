import type { HonouredProperty, RefusedProperties } from '../settings.js'

/** Properties of Kafka's Java producer and the settings they stand for. */
export const HONOURED_PROPERTIES: Readonly<Record<string, HonouredProperty>> = {
  acks: { path: 'acks', values: { all: 'all', '-1': 'all', '1': 'leader', '0': 'none' } },
  'batch.size': { path: 'flush.bytes' },
  'client.id': { path: 'clientId' },
  'compression.type': { path: 'compression' },
  'enable.idempotence': { path: 'idempotent' },
  'linger.ms': { path: 'flush.intervalMs' },
  'max.request.size': { path: 'maxMessageBytes' },
  'request.timeout.ms': { path: 'requestTimeoutMs' },
  retries: { path: 'retries' },
  'retry.backoff.ms': { path: 'retryBackoffMs' },
  'retry.backoff.max.ms': { path: 'retryBackoffMaxMs' },
  'sasl.mechanism': {
    path: 'sasl.mechanism',
    values: {
      PLAIN: 'plain',
      'SCRAM-SHA-256': 'scram-sha-256',
      'SCRAM-SHA-512': 'scram-sha-512',
      OAUTHBEARER: 'oauthbearer',
    },
  },
  'sasl.oauthbearer.token.endpoint.url': { path: 'sasl.tokenEndpoint' },
  'security.protocol': {
    path: 'ssl.enabled',
    values: { PLAINTEXT: false, SSL: true, SASL_PLAINTEXT: false, SASL_SSL: true },
  },
  'socket.connection.setup.timeout.ms': { path: 'connectionTimeoutMs' },
  'ssl.keystore.certificate.chain': { path: 'ssl.cert' },
  'ssl.truststore.certificates': { path: 'ssl.ca' },
}

const FILES = 'files are not read: give the PEM text as ssl.ca, ssl.cert and ssl.key'
const KEPT_OPEN = 'it would be kept readable here'

/** Properties that are refused, each with the reason and the cure. */
export const REFUSED_PROPERTIES: RefusedProperties = {
  'bootstrap.servers': "the servers are the adapter's address: give them there",
  'buffer.memory':
    'messages are not buffered beyond the jobs in flight: set BPMN_RELAY_MAX_IN_FLIGHT instead',
  'delivery.timeout.ms':
    'the time a publish may take follows from connectionTimeoutMs, requestTimeoutMs and flush.intervalMs: set these',
  'key.serializer': "keys are serialized as the adapter's key serialization says: set that",
  'value.serializer': "values are serialized as the adapter's value serialization says: set that",
  'max.block.ms':
    'waiting for the cluster is bounded by connectionTimeoutMs and requestTimeoutMs: set these instead',
  'max.in.flight.requests.per.connection':
    'each partition has one send in flight, so that order is always kept: remove it',
  'metadata.max.age.ms': 'partitions are looked up again every 30 s: remove it',
  'partitioner.class':
    "keys lead to the partition of Java's default partitioner: remove it, or give partition in the task",
  'partitioner.ignore.keys': 'keys always lead to their partition: remove it',
  'sasl.jaas.config': `${KEPT_OPEN}: use sasl.username and sasl.password`,
  'sasl.client.callback.handler.class': 'no Java class can be loaded: use the settings under sasl',
  'sasl.login.callback.handler.class': 'no Java class can be loaded: use the settings under sasl',
  'ssl.endpoint.identification.algorithm':
    'names are verified unless ssl.rejectUnauthorized is false: use ssl.serverName where brokers have other names',
  'ssl.key.password': `${KEPT_OPEN}: use ssl.passphrase`,
  'ssl.keystore.key': `${KEPT_OPEN}: use ssl.key`,
  'ssl.keystore.location': FILES,
  'ssl.keystore.password': FILES,
  'ssl.keystore.type': FILES,
  'ssl.truststore.location': FILES,
  'ssl.truststore.password': FILES,
  'ssl.truststore.type': FILES,
  'transaction.timeout.ms': 'transactions are not available yet: remove it',
  'transactional.id': 'transactions are not available yet: remove it',
}
