import { Type } from 'typebox'
import { commonSettings } from '../common-settings.js'
import { tlsSchema } from '../tls.js'
import { DEFAULT_DELAY_LEVELS } from './delay-levels.js'

/** Above this the frame of a message passes 16 MiB, where RocketMQ cuts the connection without a word. */
const LARGEST_MESSAGE_BYTES = 15 * 1024 * 1024
const MAX_THREADS = 1000

const threads = (title: string, description: string) =>
  Type.Integer({
    title,
    description: `${description} 0: not set, then it is 20.`,
    unit: 'threads',
    default: 0,
    minimum: 0,
    maximum: MAX_THREADS,
  })

/** Settings of a RocketMQ adapter; the address is a list of name servers, or one gRPC proxy. */
export const rocketmqSettingsSchema = Type.Object(
  {
    protocol: Type.Enum(['remoting', 'grpc'], {
      title: 'Protocol',
      description:
        'remoting: the address is a list of name servers, host:port;host:port (RocketMQ 4.x and 5.x). ' +
        'grpc: the address is one gRPC proxy, host:port (RocketMQ 5.x only).',
      default: 'remoting',
    }),
    accessKey: Type.Optional(
      Type.String({
        title: 'Access key',
        description: 'User name; together with the secret key, or neither.',
        minLength: 1,
      }),
    ),
    secretKey: Type.Optional(
      Type.String({
        title: 'Secret key',
        description: 'Password of the access key.',
        minLength: 1,
        secret: true,
      }),
    ),
    namespace: Type.Optional(
      Type.String({
        title: 'Namespace',
        description:
          'Put before every topic and group as namespace%name. Leave empty on servers without namespaces.',
        pattern: '^[a-zA-Z0-9_-]+$',
      }),
    ),
    ssl: tlsSchema,
    producerGroup: Type.Optional(
      Type.String({
        title: 'Producer group',
        description:
          'remoting only: group to send under, unless a message names its own. Default: bpmn-relay.',
        pattern: '^[%|a-zA-Z0-9_-]{1,255}$',
      }),
    ),
    sendTimeoutMs: Type.Integer({
      title: 'Send timeout',
      description: 'How long one attempt to send may take.',
      unit: 'ms',
      default: 3000,
      minimum: 100,
      maximum: 60_000,
    }),
    connectTimeoutMs: Type.Integer({
      title: 'Connect timeout',
      description: 'How long connecting and asking for the brokers of a topic may take.',
      unit: 'ms',
      default: 3000,
      minimum: 100,
      maximum: 60_000,
    }),
    retries: Type.Integer({
      title: 'Retries',
      description:
        'Further attempts after one that failed for a passing reason. All carry the same message id.',
      default: 2,
      minimum: 0,
      maximum: 10,
    }),
    onUnsafeStore: Type.Enum(['warn', 'fail'], {
      title: 'Stored unsafely',
      description:
        'What to do where a broker has a message, but reports FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT or SLAVE_NOT_AVAILABLE: ' +
        'it is not yet where the broker is set up to have it. warn: it counts as published, with a warning in the log. ' +
        'fail: a failure that may pass; the message is sent again, so that it may be there twice.',
      default: 'warn',
    }),
    maxMessageBytes: Type.Integer({
      title: 'Largest message',
      description:
        'Larger messages are refused before they are sent; counts the body, uncompressed. The default is that of the broker.',
      unit: 'bytes',
      default: 4 * 1024 * 1024,
      minimum: 1,
      maximum: LARGEST_MESSAGE_BYTES,
    }),
    compressOverBytes: Type.Integer({
      title: 'Compression threshold',
      description:
        'remoting only: bodies larger than this are compressed with zlib, as the Java client does above 4096. 0: never.',
      unit: 'bytes',
      default: 0,
      minimum: 0,
      maximum: LARGEST_MESSAGE_BYTES,
    }),
    delayLevels: Type.String({
      title: 'Delay levels',
      description:
        'grpc only: what the delay levels of tasks mean, as the proxy takes times alone. Set it to messageDelayLevel of the brokers where that was changed.',
      default: DEFAULT_DELAY_LEVELS,
      minLength: 1,
    }),
    ...commonSettings,
    consumeThreadMin: threads(
      'Fewest consumer threads',
      'Must not be above the most; nothing waits idle here, so it has no further effect.',
    ),
    consumeThreadMax: threads(
      'Most consumer threads',
      'So many messages of a subscription, or batches of them, are handled at the same time.',
    ),
    consumeMessageBatchMaxSize: Type.Integer({
      title: 'Messages consumed at once',
      description: 'Most messages that are handed over together.',
      unit: 'messages',
      default: 1,
      minimum: 1,
      maximum: 1024,
    }),
    maxReconsumeTimes: Type.Integer({
      title: 'Most redeliveries',
      description:
        'A message that failed after so many redeliveries goes to the dead-letter topic of its group.',
      unit: 'redeliveries',
      default: 16,
      minimum: 0,
      maximum: 10_000,
    }),
    properties: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        title: 'Properties',
        description:
          "Settings by the names of RocketMQ's Java clients, such as sendMsgTimeout. A setting given by its own name above wins. Names that cannot be honoured are refused; docs/rocketmq-settings.md lists both kinds.",
      }),
    ),
  },
  { additionalProperties: false },
)
