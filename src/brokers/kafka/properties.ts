import { settingsInvalid } from './errors.js'

type Scalar = string | number | boolean

interface Honoured {
  /** Path of the setting it stands for. */
  path: string
  /** The setting's value for each value the property may have; absent: the same. */
  values?: Readonly<Record<string, Scalar>>
}

/** Properties of Kafka's Java producer and the settings they stand for. */
export const HONOURED_PROPERTIES: Readonly<Record<string, Honoured>> = {
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
export const REFUSED_PROPERTIES: Readonly<Record<string, string>> = {
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

/**
 * Settings with what `properties` add to them. A setting given by its own name wins over the property that stands for
 * it, whose value then does not matter.
 * @returns `origins`: for each setting that came from a property, the name of that.
 * @throws RelayError SETTINGS_INVALID naming a property that cannot be honoured
 */
export function withProperties(given: Record<string, unknown>): {
  named: Record<string, unknown>
  origins: ReadonlyMap<string, string>
} {
  const { properties = {}, ...own } = given
  if (!isRecord(properties)) {
    throw settingsInvalid('properties is no object: give it as {"linger.ms": 5} with the names of properties')
  }
  const named = structuredClone(own)
  const origins = new Map<string, string>()
  for (const [name, value] of Object.entries(properties)) {
    const { path, values } = honoured(name)
    const [first = '', second] = path.split('.')
    if (!isScalar(value)) {
      throw settingsInvalid(`properties.${name} is no text, number or boolean: give it one`)
    }
    const translated = values ? translate(name, value, values) : value
    const group = named[first]
    if (second === undefined) {
      if (group !== undefined) continue
      named[first] = translated
    } else {
      // A group that is no object is refused later, by its own name.
      if (group !== undefined && (!isRecord(group) || group[second] !== undefined)) continue
      named[first] = { ...group, [second]: translated }
    }
    origins.set(path, name)
  }
  if (/^SASL_/i.test(String(properties['security.protocol'] ?? '')) && named.sasl === undefined) {
    throw settingsInvalid(
      `properties.security.protocol ${String(properties['security.protocol'])} asks for a login, but sasl is not set: set sasl.mechanism and what belongs to it`,
    )
  }
  return { named, origins }
}

function honoured(name: string): Honoured {
  const found = HONOURED_PROPERTIES[name]
  if (found) return found
  const reason = REFUSED_PROPERTIES[name]
  throw settingsInvalid(
    reason === undefined
      ? `properties.${name} is not known or has no effect here: remove it; those that have one are ${Object.keys(HONOURED_PROPERTIES).join(', ')}`
      : `properties.${name} cannot be honoured: ${reason}`,
  )
}

function translate(name: string, value: Scalar, values: Readonly<Record<string, Scalar>>): Scalar {
  const wanted = String(value).toLowerCase()
  const found = Object.entries(values).find(([known]) => known.toLowerCase() === wanted)
  if (found) return found[1]
  throw settingsInvalid(
    `properties.${name} ${JSON.stringify(value)} is not known: use ${Object.keys(values).join(', ')}`,
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
