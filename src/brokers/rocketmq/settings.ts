import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { RelayError } from '../../core/errors.js'
import { commonSettings } from '../common-settings.js'

const DEFAULT_PRODUCER_GROUP = 'bpmn-relay'

/** Above this the frame of a message passes 16 MiB, where RocketMQ cuts the connection without a word. */
const LARGEST_MESSAGE_BYTES = 15 * 1024 * 1024

export const settingsSchema = Type.Object(
  {
    protocol: Type.Union([Type.Literal('remoting'), Type.Literal('grpc')], {
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
        description: 'Put before every topic as namespace%topic. Leave empty on servers without namespaces.',
        pattern: '^[a-zA-Z0-9_-]+$',
      }),
    ),
    sslEnabled: Type.Boolean({
      title: 'TLS',
      description:
        'grpc only. Certificates are checked against the certificate authorities Node.js trusts; ' +
        'NODE_EXTRA_CA_CERTS adds a private one.',
      default: false,
    }),
    producerGroup: Type.String({
      title: 'Producer group',
      description: 'remoting only: group to send under, unless a message names its own.',
      pattern: '^[%|a-zA-Z0-9_-]{1,255}$',
      default: DEFAULT_PRODUCER_GROUP,
    }),
    sendTimeoutMs: Type.Integer({
      title: 'Send timeout',
      description: 'How long one attempt to send may take.',
      minimum: 100,
      maximum: 60_000,
      default: 3000,
      unit: 'ms',
    }),
    connectTimeoutMs: Type.Integer({
      title: 'Connect timeout',
      description: 'How long connecting and asking for the brokers of a topic may take.',
      minimum: 100,
      maximum: 60_000,
      default: 3000,
      unit: 'ms',
    }),
    retries: Type.Integer({
      title: 'Retries',
      description:
        'Further attempts after one that failed for a passing reason. All carry the same message id.',
      minimum: 0,
      maximum: 10,
      default: 2,
    }),
    maxMessageBytes: Type.Integer({
      title: 'Largest message',
      description: 'Larger messages are refused before they are sent. The default is that of the broker.',
      minimum: 1,
      maximum: LARGEST_MESSAGE_BYTES,
      default: 4 * 1024 * 1024,
      unit: 'bytes',
    }),
    ...commonSettings,
  },
  { additionalProperties: false },
)

const defaults = Value.Create(settingsSchema)

export type Protocol = 'remoting' | 'grpc'

export interface RocketmqSettings extends Static<typeof settingsSchema> {
  /** Name servers (remoting) or the one proxy (grpc), each `host:port`. */
  addresses: string[]
}

/** @throws RelayError SETTINGS_INVALID naming the field, its value and the cure. */
export function parseSettings(address: string, raw: Record<string, unknown>): RocketmqSettings {
  // Numbers and switches may come as text, out of an @env(NAME).
  const settings = Object.fromEntries(
    Object.entries({ ...defaults, ...raw }).map(([name, value]) => [name, converted(name, value)]),
  )
  const problem = firstProblem(settings)
  if (problem) throw invalid(problem)
  const parsed = Value.Parse(settingsSchema, settings)
  refuseContradictions(parsed)
  return { ...parsed, addresses: parseAddresses(address, parsed.protocol) }
}

function converted(name: string, value: unknown): unknown {
  const schema = Object.entries(settingsSchema.properties).find(([known]) => known === name)?.[1]
  return schema === undefined ? value : Value.Convert(schema, value)
}

/** The name a topic or group has on the server. */
export function withNamespace(name: string, { namespace }: RocketmqSettings): string {
  return namespace === undefined ? name : `${namespace}%${name}`
}

function firstProblem(settings: Record<string, unknown>): string | undefined {
  for (const error of Value.Errors(settingsSchema, settings)) {
    if (error.keyword === 'additionalProperties') {
      const known = Object.keys(settingsSchema.properties).join(', ')
      return `setting ${error.params.additionalProperties.join(', ')} is unknown to RocketMQ: use ${known}`
    }
    const field = error.instancePath.slice(1)
    if (!(field in settingsSchema.properties)) continue
    const value = field === 'secretKey' ? 'not valid' : JSON.stringify(settings[field])
    const rule = field === 'protocol' ? 'must be "remoting" or "grpc"' : error.message
    return `setting ${field} is ${value}: it ${rule}`
  }
  return undefined
}

function refuseContradictions(settings: Static<typeof settingsSchema>): void {
  if ((settings.accessKey === undefined) !== (settings.secretKey === undefined)) {
    const [given, missing] = settings.accessKey ? ['accessKey', 'secretKey'] : ['secretKey', 'accessKey']
    throw invalid(`setting ${given} is set but ${missing} is not: set both, or neither`)
  }
  if (settings.protocol === 'remoting' && settings.sslEnabled) {
    throw invalid(
      'setting sslEnabled is true, but protocol "remoting" has no TLS here: ' +
        'use protocol "grpc" with the address of a proxy, or set sslEnabled to false',
    )
  }
  if (settings.protocol === 'grpc' && settings.producerGroup !== DEFAULT_PRODUCER_GROUP) {
    throw invalid(
      `setting producerGroup is "${settings.producerGroup}", but protocol "grpc" has no producer groups: leave it out`,
    )
  }
}

function parseAddresses(address: string, protocol: Protocol): string[] {
  const addresses = address
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const expected =
    protocol === 'remoting'
      ? 'the name servers as host:port;host:port, such as "10.0.0.1:9876;10.0.0.2:9876"'
      : 'one gRPC proxy as host:port, such as "rocketmq-proxy:8081"'
  if (addresses.length === 0) throw invalid(`address is empty: give ${expected}`)
  for (const part of addresses) {
    const port = Number(/^[^\s:,/]+:(\d{1,5})$/.exec(part)?.[1])
    if (!(port >= 1 && port <= 65_535)) throw invalid(`address "${part}" is not host:port: give ${expected}`)
  }
  if (protocol === 'grpc' && addresses.length > 1) {
    throw invalid(
      `address "${address}" names ${addresses.length} proxies: give ${expected}, or a load balancer`,
    )
  }
  return addresses
}

function invalid(text: string): RelayError {
  return new RelayError('SETTINGS_INVALID', text)
}
