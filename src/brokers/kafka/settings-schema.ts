import { Type } from 'typebox'
import { commonSettings } from '../common-settings.js'
import { tlsSchema } from '../tls.js'
import { consumerSchema } from './consumer-settings.js'

const optionalText = (title: string, description: string) =>
  Type.Optional(Type.String({ title, description, minLength: 1 }))
const optionalSecret = (title: string, description: string) =>
  Type.Optional(Type.String({ title, description, minLength: 1, secret: true }))

const sasl = Type.Object(
  {
    mechanism: Type.Enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws'], {
      title: 'Mechanism',
      description:
        'How to log in. plain sends the password readable to all on the way: use it with TLS. aws is the mechanism of brokers with an AWS login module, not the one of Amazon MSK.',
      default: 'scram-sha-512',
    }),
    username: optionalText('User name', 'For plain and scram.'),
    password: optionalSecret('Password', 'For plain and scram.'),
    tokenEndpoint: Type.Optional(
      Type.String({
        title: 'Token endpoint',
        description: 'For oauthbearer: http(s) URL that gives tokens for client credentials (RFC 6749, 4.4).',
        pattern: '^https?://\\S+$',
      }),
    ),
    clientId: optionalText('OAuth client id', 'For oauthbearer.'),
    clientSecret: optionalSecret('OAuth client secret', 'For oauthbearer.'),
    scope: optionalText('OAuth scope', 'For oauthbearer: what to ask for, several with blanks between.'),
    authorizationIdentity: optionalText('AWS identity', 'For aws: UserId or RoleId of the identity.'),
    accessKeyId: optionalText('AWS access key id', 'For aws.'),
    secretAccessKey: optionalSecret('AWS secret access key', 'For aws.'),
    sessionToken: optionalSecret('AWS session token', 'For aws, with temporary credentials.'),
  },
  { title: 'SASL', description: 'Leave out to connect without a login.', additionalProperties: false },
)

const flush = Type.Object(
  {
    intervalMs: Type.Integer({
      title: 'Flush interval',
      description:
        'Longest time a message waits for others of its partition, so that they go as one send. 0: not set, what is ready goes at once. Adds to the time a publish may take.',
      unit: 'ms',
      default: 0,
      minimum: 0,
      maximum: 60_000,
    }),
    messages: Type.Integer({
      title: 'Flush messages',
      description:
        'This many messages waiting for a partition end the flush interval early. 0: not set. Needs the interval.',
      unit: 'messages',
      default: 0,
      minimum: 0,
      maximum: 10_000,
    }),
    bytes: Type.Integer({
      title: 'Flush bytes',
      description:
        'This many bytes waiting for a partition end the flush interval early. 0: not set. Needs the interval.',
      unit: 'bytes',
      default: 0,
      minimum: 0,
      maximum: 64 * 1024 * 1024,
    }),
    maxMessages: Type.Integer({
      title: 'Most messages in a send',
      description: 'Upper bound of the messages that go as one send. 0: not set, then it is 500.',
      unit: 'messages',
      default: 0,
      minimum: 0,
      maximum: 10_000,
    }),
  },
  { title: 'Flush', default: {}, additionalProperties: false },
)

/** Settings of a Kafka adapter; the address is the list of bootstrap servers. */
export const kafkaSettingsSchema = Type.Object(
  {
    clientId: Type.String({
      title: 'Client id',
      description: "Name of this client in the brokers' logs, quotas and metrics.",
      default: 'bpmn-relay',
      minLength: 1,
    }),
    kafkaVersion: Type.Optional(
      Type.String({
        title: 'Kafka version',
        description: 'For your information only: what the brokers understand is asked of them.',
      }),
    ),
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
        'at-least-once: every message is acknowledged, a repeated one is possible. none: sent and forgotten, needs acks none. exactly-once: not available yet. A task may choose another for its message.',
      default: 'at-least-once',
    }),
    compression: Type.Enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
      title: 'Compression',
      description: 'How the messages of one send are compressed. Every Kafka client can read all of them.',
      default: 'none',
    }),
    maxMessageBytes: Type.Integer({
      title: 'Largest message',
      description:
        'Larger messages are refused before they are sent; counts key, value and headers, uncompressed. The topic has a limit of its own, by default 1048588.',
      unit: 'bytes',
      default: 1_000_000,
      minimum: 1000,
      maximum: 64 * 1024 * 1024,
    }),
    ...commonSettings,
    connectionTimeoutMs: Type.Integer({
      title: 'Connection timeout',
      description: 'Longest time to open a connection.',
      unit: 'ms',
      default: 3000,
      minimum: 100,
      maximum: 60_000,
    }),
    requestTimeoutMs: Type.Integer({
      title: 'Request timeout',
      description:
        'Longest time to wait for the answer to one request. A publish may take twice as long and the connection timeout besides; keep the job timeout above that.',
      unit: 'ms',
      default: 10_000,
      minimum: 100,
      maximum: 300_000,
    }),
    retries: Type.Optional(
      Type.Integer({
        title: 'Retries',
        description:
          'Most times a message is sent again after a send that failed for a passing reason. The repeat of an idempotent producer over the same connection, which the broker recognises, is not counted. Default: as often as the time allows.',
        minimum: 0,
        maximum: 2_147_483_647,
      }),
    ),
    retryBackoffMs: Type.Integer({
      title: 'Retry back-off',
      description: 'Pause before a message is sent again; doubles with each failure.',
      unit: 'ms',
      default: 100,
      minimum: 10,
      maximum: 60_000,
    }),
    retryBackoffMaxMs: Type.Integer({
      title: 'Longest retry back-off',
      description: 'The pause does not grow beyond this.',
      unit: 'ms',
      default: 1000,
      minimum: 10,
      maximum: 60_000,
    }),
    flush,
    consumer: consumerSchema,
    ssl: tlsSchema,
    sasl: Type.Optional(sasl),
    properties: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        title: 'Properties',
        description:
          "Settings by the names of Kafka's Java producer, such as linger.ms. A setting given by its own name above wins. Names that cannot be honoured are refused; docs/kafka-settings.md lists both kinds.",
      }),
    ),
  },
  { additionalProperties: false },
)
