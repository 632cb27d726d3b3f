import type { KnownProperties } from '../settings.js'

const ASSIGNORS = 'org.apache.kafka.clients.consumer'
const WHOLE_ADAPTER = 'it concerns the whole adapter: give it among properties, or use'

/** Properties of Kafka's Java consumer: the settings they stand for, and why others are refused. */
export const CONSUMER_PROPERTIES: KnownProperties = {
  honoured: {
    'auto.commit.interval.ms': { path: 'consumer.autoCommitIntervalMs' },
    'auto.offset.reset': {
      path: 'consumer.initialPosition',
      values: { earliest: 'earliest', latest: 'latest' },
    },
    'fetch.max.bytes': { path: 'consumer.fetchMaxBytes' },
    'fetch.max.wait.ms': { path: 'consumer.fetchWaitMs' },
    'fetch.min.bytes': { path: 'consumer.fetchMinBytes' },
    'heartbeat.interval.ms': { path: 'consumer.heartbeatIntervalMs' },
    'isolation.level': {
      path: 'consumer.isolationLevel',
      values: { read_committed: 'read-committed', read_uncommitted: 'read-uncommitted' },
    },
    'max.partition.fetch.bytes': { path: 'consumer.partitionFetchBytes' },
    'max.poll.interval.ms': { path: 'consumer.rebalanceTimeoutMs' },
    'max.poll.records': { path: 'consumer.batchSize' },
    'partition.assignment.strategy': {
      path: 'consumer.strategy',
      values: {
        [`${ASSIGNORS}.RangeAssignor`]: 'range',
        [`${ASSIGNORS}.RoundRobinAssignor`]: 'roundRobin',
        range: 'range',
        roundrobin: 'roundRobin',
      },
    },
    'request.timeout.ms': { path: 'consumer.requestTimeoutMs' },
    'retry.backoff.ms': { path: 'consumer.retryBackoffMs' },
    'session.timeout.ms': { path: 'consumer.sessionTimeoutMs' },
  },
  refused: {
    'allow.auto.create.topics': 'a consumer makes no topics: create those it reads, and remove this',
    'bootstrap.servers': "the servers are the adapter's address: give them there",
    'check.crcs': 'they are always checked: remove it',
    'client.id': `${WHOLE_ADAPTER} clientId`,
    'client.rack': 'messages are always fetched from the leader of their partition: remove it',
    'default.api.timeout.ms': 'waiting is bounded request by request: set consumer.requestTimeoutMs',
    'enable.auto.commit': 'a message is committed once it is handled, never before: remove it',
    'exclude.internal.topics': 'topics are named, not matched by a pattern: remove it',
    'group.id': 'the group belongs to the subscription: name it there',
    'group.instance.id': 'members are not kept over a restart: remove it',
    'group.protocol': 'the classic protocol is used, which every broker knows: remove it',
    'group.remote.assignor': 'the classic protocol has none: use partition.assignment.strategy',
    'interceptor.classes': 'no Java class can be loaded: remove it',
    'key.deserializer': "keys are read as the adapter's key serialization says: set that",
    'value.deserializer': "values are read as the adapter's value serialization says: set that",
    'metadata.max.age.ms': 'partitions are looked up again every 5 s: remove it',
    'offsets.retention.minutes':
      'it is a setting of the brokers: since Kafka 2.1 no client can keep offsets longer or shorter than they do',
    'retry.backoff.max.ms': 'the pause does not grow: use retry.backoff.ms',
    'sasl.jaas.config': 'it would be kept readable here: use sasl.username and sasl.password',
    'sasl.mechanism': `${WHOLE_ADAPTER} sasl.mechanism`,
    'security.protocol': `${WHOLE_ADAPTER} ssl.enabled and sasl`,
    'ssl.keystore.location': 'files are not read: give the PEM text as ssl.cert and ssl.key',
    'ssl.truststore.location': 'files are not read: give the PEM text as ssl.ca',
  },
}
