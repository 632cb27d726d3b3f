import { type ErrorCode, messageOf, RelayError } from '../../core/errors.js'

/** What a failed request was about, for the texts of its errors. */
export interface Request {
  /** `host:port`, or a list of them. */
  address: string
  /** Absent where the request is not about a topic. */
  topic?: string
  /** The group that consumes; absent where the request is about publishing. */
  group?: string
}

const TOPIC_CURE_REMOTING =
  'create it (mqadmin updateTopic), or let the brokers create topics (autoCreateTopicEnable=true)'
/** What a broker of 5.x says to an exact delivery time it is not set up for. */
const TIMERS_OFF = 'timer message is not enabled'
const TOPIC_CURE_GRPC =
  'create it (mqadmin updateTopic); a gRPC proxy creates none, and takes some seconds to see a new one'

/** What ali-ons threw, as a RelayError. */
export function remotingError(thrown: unknown, request: Request): RelayError {
  if (thrown instanceof RelayError) return thrown
  const cause = withoutPayload(thrown)
  if (nameOf(thrown) === 'MQClientException' && codeOf(thrown) !== undefined) {
    return refusal(remotingCode(thrown), request, TOPIC_CURE_REMOTING, cause)
  }
  if (nameOf(thrown) === 'ResponseTimeoutError') {
    return new RelayError('BROKER_TIMEOUT', `RocketMQ at ${request.address} did not answer in time`, {
      cause,
    })
  }
  return unreachable(request, cause)
}

/** What a call to the gRPC proxy threw, as a RelayError. */
export function grpcError(thrown: unknown, request: Request): RelayError {
  if (thrown instanceof RelayError) return thrown
  const code = codeOf(thrown)
  if (code === GRPC.DEADLINE_EXCEEDED) {
    return new RelayError(
      'BROKER_TIMEOUT',
      `the RocketMQ proxy at ${request.address} did not answer in time`,
      {
        cause: thrown,
      },
    )
  }
  if (code === GRPC.UNAVAILABLE || code === GRPC.CANCELLED) return unreachable(request, thrown)
  if (code === GRPC.RESOURCE_EXHAUSTED) return refusal('MESSAGE_TOO_LARGE', request, TOPIC_CURE_GRPC, thrown)
  if (code === GRPC.UNAUTHENTICATED) return refusal('AUTHENTICATION_FAILED', request, TOPIC_CURE_GRPC, thrown)
  return refusal('BROKER_UNAVAILABLE', request, TOPIC_CURE_GRPC, thrown)
}

/** A status other than OK in an answer of the gRPC proxy, as a RelayError. */
export function grpcRefusal(status: { code: number; message: string }, request: Request): RelayError {
  const cause = Object.assign(new Error(status.message), { code: status.code })
  return refusal(statusCode(status), request, TOPIC_CURE_GRPC, cause)
}

function remotingCode(thrown: unknown): ErrorCode {
  const text = messageOf(thrown)
  switch (codeOf(thrown)) {
    case REMOTING.TOPIC_NOT_EXIST:
      return 'TOPIC_UNKNOWN'
    case REMOTING.MESSAGE_ILLEGAL:
      return text.includes('body length limit') ? 'MESSAGE_TOO_LARGE' : 'BROKER_REFUSED'
    case REMOTING.INVALID_PARAMETER:
      return text.includes('topic') ? 'TOPIC_INVALID' : 'BROKER_REFUSED'
    case REMOTING.NO_PERMISSION:
      // A broker that is read-only for a while; the name server soon leaves it out of the route.
      if (text.startsWith('the broker[')) return 'BROKER_UNAVAILABLE'
      return accessCode(text)
    case REMOTING.SYSTEM_ERROR:
      if (text.includes(TIMERS_OFF)) return 'BROKER_REFUSED'
      // RocketMQ 4.x reports its access control as a system error that names the exception.
      if (!text.includes('AclException')) return 'BROKER_UNAVAILABLE'
      return accessCode(text)
    case REMOTING.SYSTEM_BUSY:
    case REMOTING.SERVICE_NOT_AVAILABLE:
      return 'BROKER_UNAVAILABLE'
    default:
      return 'BROKER_REFUSED'
  }
}

function statusCode(status: { code: number; message: string }): ErrorCode {
  if (status.message.includes(TIMERS_OFF)) return 'BROKER_REFUSED'
  switch (status.code) {
    case PROXY.ILLEGAL_TOPIC:
      return 'TOPIC_INVALID'
    case PROXY.TOPIC_NOT_FOUND:
      return 'TOPIC_UNKNOWN'
    case PROXY.UNAUTHORIZED:
    case PROXY.FORBIDDEN:
      return accessCode(status.message)
    case PROXY.PAYLOAD_TOO_LARGE:
    case PROXY.MESSAGE_BODY_TOO_LARGE:
    case PROXY.REQUEST_HEADER_FIELDS_TOO_LARGE:
    case PROXY.MESSAGE_PROPERTIES_TOO_LARGE:
      return 'MESSAGE_TOO_LARGE'
    case PROXY.REQUEST_TIMEOUT:
    case PROXY.PROXY_TIMEOUT:
      return 'BROKER_TIMEOUT'
    case PROXY.TOO_MANY_REQUESTS:
      return 'BROKER_UNAVAILABLE'
    default:
      // 400xx–499xx: the request is at fault. 500xx and above: the server is.
      return status.code >= 50_000 ? 'BROKER_UNAVAILABLE' : 'BROKER_REFUSED'
  }
}

function refusal(code: ErrorCode, request: Request, topicCure: string, cause: unknown): RelayError {
  const topic = request.topic === undefined ? '' : ` for topic "${request.topic}"`
  const reason = withoutJavaNames(messageOf(cause).split('\n')[0] ?? '')
  const text = `RocketMQ at ${request.address} refused the request${topic}: ${reason}`
  switch (code) {
    case 'TOPIC_UNKNOWN':
      return new RelayError(
        code,
        `topic "${request.topic}" does not exist on ${request.address}: ${topicCure}`,
        { cause },
      )
    case 'AUTHENTICATION_FAILED':
      return new RelayError(code, `${text}; check settings accessKey and secretKey`, { cause })
    case 'NOT_AUTHORIZED':
      return new RelayError(code, `${text}; ${accessCure(request)}`, { cause })
    default:
      return new RelayError(code, `${text}${refusalCure(reason)}`, { cause })
  }
}

function accessCure({ topic, group }: Request): string {
  if (group === undefined) return 'allow this access key to publish there'
  const from = topic === undefined ? '' : ` from topic "${topic}"`
  return `allow this access key to consume${from} as group "${group}" (SUB on topic and group; RocketMQ 5 over remoting wants GET, too)`
}

function refusalCure(reason: string): string {
  if (reason.includes('TopicMessageType validate failed')) {
    return (
      '; messageGroup needs a topic of type FIFO, deliverAt one of type DELAY, all others one of type NORMAL ' +
      '(mqadmin updateTopic -a +message.type=…)'
    )
  }
  if (reason.includes(TIMERS_OFF)) {
    return '; deliverAt needs timerWheelEnable=true in the configuration of the broker: set it, or use delayLevel over remoting'
  }
  if (reason.includes('pop message is forbidden')) {
    return '; consuming over gRPC needs timerWheelEnable=true in the configuration of the broker: set it, or use protocol "remoting"'
  }
  return ''
}

function unreachable(request: Request, cause: unknown): RelayError {
  const reason = withoutGrpcNames(messageOf(cause))
  return new RelayError(
    'BROKER_UNREACHABLE',
    `RocketMQ at ${request.address} cannot be reached: ${reason}${connectionCure(cause, reason)}`,
    { cause },
  )
}

function connectionCure(cause: unknown, reason: string): string {
  if (cause instanceof SyntaxError) {
    return '; it does not answer as RocketMQ does over protocol "remoting": give name servers, or use protocol "grpc" with a proxy'
  }
  if (reason.startsWith('Failed to connect')) {
    return '; it does not answer as a gRPC proxy does: give the address of one, or use protocol "remoting" with name servers'
  }
  if (/self-signed certificate|unable to (verify|get)/.test(reason)) {
    return '; set ssl.ca to the certificate of the authority that signed the one of the proxy'
  }
  if (reason.includes('ERR_TLS_CERT_ALTNAME_INVALID')) {
    return '; correct the address, or set ssl.serverName to a name in the certificate of the proxy'
  }
  return ''
}

/** gRPC wraps the reason in its own words. */
function withoutGrpcNames(text: string): string {
  return text.replace(
    /^\d+ [A-Z_]+: (No connection established\. Last error: (Error: )?)?|\.? Resolution note: $/g,
    '',
  )
}

/** RocketMQ 4.x names the class of an exception, and the line that threw it. */
function withoutJavaNames(text: string): string {
  return text.replace(/^(\w+\.)+\w+Exception: |, org\.apache\.[\w.$]+\(\w+\.java:\d+\)$/g, '')
}

/** Access control answers wrong credentials and missing permissions with one code; only the text tells them apart. */
function accessCode(text: string): ErrorCode {
  if (text.includes('no permission')) return 'NOT_AUTHORIZED'
  const wrongCredentials =
    /signature|authentication|access ?key|no acl config|user.*(not found|not exist|cannot be null)/i
  return wrongCredentials.test(text) ? 'AUTHENTICATION_FAILED' : 'NOT_AUTHORIZED'
}

/** ali-ons hangs the whole request, as base64, on errors of closed sockets. */
function withoutPayload(thrown: unknown): unknown {
  if (thrown instanceof Error && 'data' in thrown) delete thrown.data
  return thrown
}

function nameOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.name : undefined
}

function codeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'number' ? thrown.code : undefined
}

/** org.apache.rocketmq.remoting.protocol.ResponseCode */
const REMOTING = {
  SYSTEM_ERROR: 1,
  SYSTEM_BUSY: 2,
  MESSAGE_ILLEGAL: 13,
  SERVICE_NOT_AVAILABLE: 14,
  NO_PERMISSION: 16,
  TOPIC_NOT_EXIST: 17,
  INVALID_PARAMETER: 29,
} as const

/** apache.rocketmq.v2.Code of definition.proto */
const PROXY = {
  ILLEGAL_TOPIC: 40002,
  UNAUTHORIZED: 40100,
  FORBIDDEN: 40300,
  TOPIC_NOT_FOUND: 40402,
  REQUEST_TIMEOUT: 40800,
  PAYLOAD_TOO_LARGE: 41300,
  MESSAGE_BODY_TOO_LARGE: 41301,
  TOO_MANY_REQUESTS: 42900,
  REQUEST_HEADER_FIELDS_TOO_LARGE: 43100,
  MESSAGE_PROPERTIES_TOO_LARGE: 43101,
  PROXY_TIMEOUT: 50400,
} as const

/** Status codes of gRPC itself. */
const GRPC = {
  CANCELLED: 1,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const
