import { createSecureContext } from 'node:tls'
import { format } from 'node:util'
import {
  type CallOptions,
  ChannelCredentials,
  type ChannelOptions,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js'
import { type Endpoints, Producer } from 'rocketmq-client-nodejs'
import service from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_grpc_pb.js'
import type { Log } from '../../core/log.js'
import type { Tls } from '../tls.js'
import type { RocketmqSettings } from './settings.js'

const { MessagingServiceClient } = service
type Stub = InstanceType<typeof MessagingServiceClient>

/** Starts one unary call of the stub: `(stub, ...rest) => stub.sendMessage(request, ...rest)`. */
type Start<Response> = (
  stub: Stub,
  metadata: Metadata,
  options: Partial<CallOptions>,
  done: (error: ServiceError | null, response: Response) => void,
) => void

/**
 * One set of channels to the proxies, closed once it is retired and its last call has ended. Requests are signed by a
 * producer of rocketmq-client-nodejs that is never started; the channels are ours, as the library's take no
 * certificates.
 */
export class GrpcClient {
  /** For its signatures and its encoding of messages. */
  readonly producer: Producer
  readonly #settings: RocketmqSettings
  readonly #stubs = new Map<string, Stub>()
  #calls = 0
  #retired = false

  constructor(settings: RocketmqSettings, log: Log) {
    const { addresses, accessKey, secretKey } = settings
    this.#settings = settings
    this.producer = new Producer({
      endpoints: addresses.join(';'),
      // The proxy takes a namespace sent on its own without a word, and does not heed it.
      namespace: '',
      logger: quiet(log),
      ...(accessKey && secretKey && { sessionCredentials: { accessKey, accessSecret: secretKey } }),
    })
  }

  /** The proxy the adapter names. */
  get proxy(): Endpoints {
    return this.producer.getEndpoints()
  }

  /** @throws the status of gRPC, DEADLINE_EXCEEDED after `timeoutMs` */
  call<Response>(endpoints: Endpoints, timeoutMs: number, start: Start<Response>): Promise<Response> {
    return this.use(
      () =>
        new Promise((resolve, reject) => {
          const options = { deadline: Date.now() + timeoutMs }
          start(this.stub(endpoints), this.producer.getRequestMetadata(), options, (error, response) =>
            error ? reject(error) : resolve(response),
          )
        }),
    )
  }

  /** For calls that stream; to be made within `use`. */
  stub(endpoints: Endpoints): Stub {
    const known = this.#stubs.get(endpoints.facade)
    if (known) return known
    const { credentials, options } = channelTo(this.#settings.ssl)
    const stub = new MessagingServiceClient(endpoints.getGrpcTarget(), credentials, options)
    this.#stubs.set(endpoints.facade, stub)
    return stub
  }

  /** Keeps the channels open until `work` has ended, even if the client is retired before. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#calls++
    try {
      return await work()
    } finally {
      this.#calls--
      this.#closeIfDone()
    }
  }

  retire(): void {
    this.#retired = true
    this.#closeIfDone()
  }

  #closeIfDone(): void {
    if (!this.#retired || this.#calls > 0) return
    for (const stub of this.#stubs.values()) stub.close()
    this.#stubs.clear()
    // It has no channels, but a timer that looks after them.
    this.producer.getRpcClientManager().close()
  }
}

function channelTo({ enabled, serverName, rejectUnauthorized, ...pem }: Tls): {
  credentials: ChannelCredentials
  options: ChannelOptions
} {
  return {
    credentials: enabled
      ? ChannelCredentials.createFromSecureContext(createSecureContext(pem), { rejectUnauthorized })
      : ChannelCredentials.createInsecure(),
    options: {
      // By default 4 MiB, which a message may have by its body alone.
      'grpc.max_receive_message_length': -1,
      ...(serverName !== undefined && { 'grpc.ssl_target_name_override': serverName }),
    },
  }
}

/** What the library has to tell also arrives as errors of its calls, so its log is for debugging only. */
function quiet(log: Log) {
  const debug = (...args: unknown[]) => log.debug(format(...args))
  return { debug, info: debug, warn: debug, error: debug }
}
