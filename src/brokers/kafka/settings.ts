import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { RelayError } from '../../core/errors.js'

/** Settings of a Kafka adapter; the address is the list of bootstrap servers. */
export const kafkaSettingsSchema = Type.Object(
  {
    clientId: Type.String({
      title: 'Client id',
      description: "Name of this client in the brokers' logs, quotas and metrics.",
      default: 'bpmn-relay',
      minLength: 1,
    }),
    acks: Type.Enum(['all', 'leader', 'none'], {
      title: 'Acknowledgement',
      description:
        'Who must have a message before it counts as published: all in-sync replicas, the leader alone, or nobody. With none, a lost message goes unnoticed and receipts have no offset.',
      default: 'all',
    }),
    idempotent: Type.Boolean({
      title: 'Idempotent producer',
      description:
        'The broker drops what a repeated send would duplicate. Needs acks all. Default: true with acks all, else false.',
      default: true,
    }),
    deliverySemantic: Type.Enum(['at-least-once', 'none', 'exactly-once'], {
      title: 'Delivery semantic',
      description:
        'at-least-once: every message is acknowledged, a repeated one is possible. none: sent and forgotten, needs acks none. exactly-once: not available yet.',
      default: 'at-least-once',
    }),
    connectionTimeoutMs: Type.Integer({
      title: 'Connection timeout (ms)',
      description: 'Longest time to open a connection, in milliseconds.',
      default: 3000,
      minimum: 100,
      maximum: 60_000,
    }),
    requestTimeoutMs: Type.Integer({
      title: 'Request timeout (ms)',
      description:
        'Longest time to wait for the answer to one request, in milliseconds. A publish may take twice as long and the connection timeout besides; keep the job timeout above that.',
      default: 10_000,
      minimum: 100,
      maximum: 300_000,
    }),
    ssl: Type.Object(
      {
        enabled: Type.Boolean({ title: 'Use TLS', default: false }),
        ca: Type.Optional(
          Type.String({
            title: 'CA certificates',
            description: 'PEM text of the authorities to trust. Default: those Node.js trusts.',
          }),
        ),
        cert: Type.Optional(
          Type.String({ title: 'Client certificate', description: 'PEM text; needs the private key.' }),
        ),
        key: Type.Optional(
          Type.String({
            title: 'Private key',
            description: 'PEM text; needs the client certificate.',
            secret: true,
          }),
        ),
        serverName: Type.Optional(
          Type.String({
            title: 'Server name',
            description: "Name the broker's certificate must carry. Default: the host of the address.",
          }),
        ),
        rejectUnauthorized: Type.Boolean({
          title: 'Verify the broker',
          description: 'Refuse a broker whose certificate cannot be verified. Turn off for tests only.',
          default: true,
        }),
      },
      { title: 'TLS', default: {}, additionalProperties: false },
    ),
    sasl: Type.Optional(
      Type.Object(
        {
          mechanism: Type.Enum(['plain', 'scram-sha-256', 'scram-sha-512'], {
            title: 'Mechanism',
            default: 'scram-sha-512',
          }),
          username: Type.String({ title: 'User name', minLength: 1 }),
          password: Type.String({ title: 'Password', minLength: 1, secret: true }),
        },
        { title: 'SASL', description: 'Leave out to connect without a login.', additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)

export type KafkaSettings = Static<typeof kafkaSettingsSchema> & {
  /** `host:port`, at least one. */
  bootstrapServers: string[]
}

/** @throws RelayError SETTINGS_INVALID */
export function parseKafkaSettings(address: string, given: Record<string, unknown>): KafkaSettings {
  const bootstrapServers = parseBootstrapServers(address)
  const settings = Value.Default(kafkaSettingsSchema, Value.Convert(kafkaSettingsSchema, Value.Clone(given)))
  if (!Value.Check(kafkaSettingsSchema, settings)) throw schemaViolation(settings)
  checkTls(settings.ssl)
  return { ...settings, ...parseGuarantees(settings, given), bootstrapServers }
}

function parseBootstrapServers(address: string): string[] {
  const servers = address
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '')
  if (servers.length === 0) {
    throw invalid('address is empty: give the bootstrap servers as host:port, several separated by commas')
  }
  for (const server of servers) {
    const [, port] = /^[^\s:/@]+:(\d{1,5})$/.exec(server) ?? []
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw invalid(
        `address names the bootstrap server "${server}", which is not host:port: write it like kafka.example.com:9092`,
      )
    }
  }
  return servers
}

type Guarantees = Pick<KafkaSettings, 'acks' | 'idempotent' | 'deliverySemantic'>

/** The three are one decision: what was not given follows from what was; what was given must agree. */
function parseGuarantees(settings: Guarantees, given: Record<string, unknown>): Guarantees {
  if (settings.deliverySemantic === 'exactly-once') {
    throw invalid('deliverySemantic exactly-once is not available yet: choose at-least-once')
  }
  const unacknowledged =
    settings.deliverySemantic === 'none' || (settings.acks === 'none' && given.deliverySemantic === undefined)
  const acks = unacknowledged && given.acks === undefined ? 'none' : settings.acks
  const deliverySemantic = unacknowledged ? 'none' : settings.deliverySemantic
  const idempotent = given.idempotent === undefined ? acks === 'all' : settings.idempotent

  if (deliverySemantic === 'none' && acks !== 'none') {
    throw invalid(
      `deliverySemantic none contradicts acks ${acks}: set acks to none, or deliverySemantic to at-least-once`,
    )
  }
  if (deliverySemantic === 'at-least-once' && acks === 'none') {
    throw invalid(
      'deliverySemantic at-least-once contradicts acks none: set acks to all or leader, or deliverySemantic to none',
    )
  }
  if (idempotent && acks !== 'all') {
    throw invalid(`idempotent true contradicts acks ${acks}: set acks to all, or idempotent to false`)
  }
  return { acks, idempotent, deliverySemantic }
}

function checkTls(ssl: KafkaSettings['ssl']): void {
  if ((ssl.cert === undefined) !== (ssl.key === undefined)) {
    const [present, missing] = ssl.cert === undefined ? ['key', 'cert'] : ['cert', 'key']
    throw invalid(`ssl.${present} is set but ssl.${missing} is not: a client certificate needs both`)
  }
  const unused = Object.keys(ssl).find((name) => name !== 'enabled' && name !== 'rejectUnauthorized')
  if (!ssl.enabled && unused !== undefined) {
    throw invalid(`ssl.${unused} is set but ssl.enabled is false: set ssl.enabled to true or remove it`)
  }
}

function schemaViolation(settings: unknown): RelayError {
  const [error] = Value.Errors(kafkaSettingsSchema, settings)
  if (!error) return invalid('settings are invalid')
  const field = error.instancePath.slice(1).replaceAll('/', '.') || 'settings'
  if (error.keyword === 'boolean') {
    return invalid(`${field} is not a setting of a Kafka adapter: remove it or correct its name`)
  }
  const value = Value.Pointer.Get(settings, error.instancePath)
  // A text may be a secret in the wrong place; one that had to be chosen from a list is none.
  const isShown = error.keyword === 'enum' || typeof value === 'number' || typeof value === 'boolean'
  const params = JSON.stringify(error.params)
  return invalid(
    `${field}${isShown ? ` ${JSON.stringify(value)}` : ''} ${error.message}${params === '{}' ? '' : `: ${params}`}`,
  )
}

function invalid(message: string): RelayError {
  return new RelayError('SETTINGS_INVALID', message)
}
