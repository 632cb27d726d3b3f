import type MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import { remotingError } from '../errors.js'
import { parseFastjson } from '../fastjson.js'
import { closeClient, openClient } from '../remoting-client.js'
import type { RocketmqSettings } from '../settings.js'

export type Header = Record<string, string | number | boolean>

/** What a request carries besides its header. */
export interface Content {
  body?: object
  /** For the texts of errors. */
  topic?: string
  /** Default: the connect timeout. */
  timeoutMs?: number
}

/** What brokers ask of a member, or tell it. */
export interface MemberCallbacks {
  /** Members of its group came or went. */
  onGroupChanged(): void
  /** What it is doing, as RocketMQ's own admin tool reads it. */
  describe(): string
}

const OK = 0
const CODE = { NOTIFY_CONSUMER_IDS_CHANGED: 40, GET_CONSUMER_RUNNING_INFO: 307 } as const

const Incoming = Type.Object({ data: Type.Object({ code: Type.Integer(), opaque: Type.Integer() }) })

/**
 * What the requests of a consumer go through: each ends within its time limit, none is repeated. Each member has a
 * client of its own, as brokers tell members apart by connection.
 */
export class ConsumerClient {
  /** As the server spells it. */
  readonly group: string
  readonly addresses: readonly string[]
  readonly #client: MQClientAPI
  readonly #timeoutMs: number
  readonly #log: Log

  constructor(settings: RocketmqSettings, group: string, log: Log) {
    this.group = group
    this.addresses = settings.addresses
    this.#timeoutMs = settings.connectTimeoutMs
    this.#log = log
    this.#client = openClient(settings, log)
  }

  /** From now on brokers are heard. */
  listen(callbacks: MemberCallbacks): void {
    this.#client.on('request', (request: unknown, address: unknown) => {
      if (!Value.Check(Incoming, request) || typeof address !== 'string') return
      const { code, opaque } = request.data
      if (code === CODE.NOTIFY_CONSUMER_IDS_CHANGED) callbacks.onGroupChanged()
      if (code === CODE.GET_CONSUMER_RUNNING_INFO) this.#answer(address, opaque, callbacks.describe())
    })
  }

  /** The brokers and queues of a topic, from the first name server that answers; undefined: an empty answer. @throws RelayError */
  async route(topic: string) {
    // Before that the library has no name server to ask, and says so by an error without a reason.
    await this.#client.ready()
    const timeoutMs = this.#timeoutMs / this.addresses.length
    return await this.#client.getTopicRouteInfoFromNameServer(topic, timeoutMs).catch((thrown: unknown) => {
      throw remotingError(thrown, { address: this.addresses.join(';'), topic, group: this.group })
    })
  }

  /** @throws RelayError with the server's reason */
  async ask(address: string, code: number, header: Header, content: Content = {}): Promise<RemotingCommand> {
    const answer = await this.try(address, code, header, content)
    if (answer.code !== OK) throw this.refusal(answer, address, content.topic)
    return answer
  }

  /** As `ask`, for answers that are JSON of this form. */
  async askFor<Schema extends TSchema>(
    schema: Schema,
    ...request: Parameters<ConsumerClient['ask']>
  ): Promise<Static<Schema>> {
    const { body } = await this.ask(...request)
    try {
      return Value.Parse(schema, parseFastjson(String(body ?? '{}')))
    } catch (cause) {
      throw unreadable(cause)
    }
  }

  /** Resolves to refusals as well: their `code` is not 0. @throws RelayError when there is no answer */
  async try(
    address: string,
    code: number,
    header: Header,
    { body, topic, timeoutMs = this.#timeoutMs }: Content,
  ): Promise<RemotingCommand> {
    const command = RemotingCommand.createRequestCommand(code, header)
    if (body) command.body = Buffer.from(JSON.stringify(body))
    try {
      return await this.#client.invoke(address, command, timeoutMs)
    } catch (thrown) {
      throw remotingError(thrown, this.#request(address, topic))
    }
  }

  refusal(answer: RemotingCommand, address: string, topic: string | undefined): RelayError {
    const refusal = Object.assign(new Error(answer.remark ?? `code ${answer.code}`), {
      name: 'MQClientException',
      code: answer.code,
    })
    return remotingError(refusal, this.#request(address, topic))
  }

  close(): Promise<void> {
    return closeClient(this.#client)
  }

  #answer(address: string, opaque: number, text: string): void {
    const answer = RemotingCommand.createResponseCommand(OK, opaque, '')
    answer.body = Buffer.from(text)
    this.#client
      .invokeOneway(address, answer)
      .catch((error: unknown) => this.#log.debug('a broker got no answer', { address, error: String(error) }))
  }

  #request(address: string, topic: string | undefined) {
    return { address, group: this.group, ...(topic !== undefined && { topic }) }
  }
}

/** The header of an answer. @throws RelayError INTERNAL when it is not of this form. */
export function headerOf<Schema extends TSchema>(schema: Schema, answer: RemotingCommand): Static<Schema> {
  try {
    return Value.Parse(schema, answer.extFields)
  } catch (cause) {
    throw unreadable(cause)
  }
}

function unreadable(cause: unknown): RelayError {
  return new RelayError('INTERNAL', `RocketMQ gave an answer that cannot be read: ${messageOf(cause)}`, {
    cause,
  })
}
