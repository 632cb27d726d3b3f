import type MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { remotingError } from './errors.js'
import { parseFastjson } from './fastjson.js'
import { closeClient, openClient } from './remoting-client.js'
import type { RocketmqSettings } from './settings.js'

/** What a request is for, for the texts of its errors. */
export interface Purpose {
  /** Completes "refused … while". */
  doing: string
  /** As the user knows it, where it is about one. */
  topic?: string
}

type Header = Record<string, string | number | boolean>

export interface Answer {
  header: Record<string, string>
  body: Buffer
}

/** A broker that takes writes. */
export interface Master {
  cluster: string
  broker: string
  address: string
}

const ClusterInfo = Type.Object({
  brokerAddrTable: Type.Record(
    Type.String(),
    Type.Object({
      cluster: Type.String(),
      brokerName: Type.String(),
      brokerAddrs: Type.Record(Type.String(), Type.String()),
    }),
  ),
})

export type BrokerGroup = Static<typeof ClusterInfo>['brokerAddrTable'][string]

const MASTER_ID = '0'
const GET_BROKER_CLUSTER_INFO = 106
/** org.apache.rocketmq.remoting.protocol.ResponseCode */
const CODE = { SYSTEM_ERROR: 1, TOPIC_NOT_EXIST: 17, INVALID_PARAMETER: 29 } as const

/** Single requests of RocketMQ's admin tool to name servers and brokers, over the request layer of ali-ons. */
export class OperatorSession {
  readonly settings: RocketmqSettings
  readonly #client: MQClientAPI

  constructor(settings: RocketmqSettings, log: Log) {
    this.settings = settings
    this.#client = openClient(settings, log)
  }

  get nameServers(): string {
    return this.settings.addresses.join(';')
  }

  /** Longest time one request takes, milliseconds. */
  get limitMs(): number {
    return this.settings.connectTimeoutMs + this.settings.sendTimeoutMs
  }

  /** @throws RelayError with the server's reason */
  async ask(address: string, code: number, header: Header, purpose: Purpose): Promise<Answer> {
    const answer = await this.try(address, code, header, this.limitMs)
    if (answer.code !== 0) throw this.refusal(answer, address, purpose)
    return { header: answer.extFields, body: answer.body ?? Buffer.alloc(0) }
  }

  /** Asks one name server after the other until one answers. @throws RelayError */
  async askNameServer(code: number, header: Header, purpose: Purpose): Promise<Answer> {
    let failure: unknown
    for (const address of this.settings.addresses) {
      try {
        return await this.ask(address, code, header, purpose)
      } catch (error) {
        failure = error
        if (!isUnanswered(error)) break
      }
    }
    throw failure
  }

  /** As `ask`, for answers that are JSON of this form. */
  async askFor<Schema extends TSchema>(
    schema: Schema,
    address: string,
    code: number,
    header: Header,
    purpose: Purpose,
  ): Promise<Static<Schema>> {
    return parsed(schema, (await this.ask(address, code, header, purpose)).body, address)
  }

  /** Resolves to refusals as well: their `code` is not 0. @throws RelayError when there is no answer. */
  async try(address: string, code: number, header: Header, limitMs: number): Promise<RemotingCommand> {
    try {
      return await this.#client.invoke(address, RemotingCommand.createRequestCommand(code, header), limitMs)
    } catch (thrown) {
      throw remotingError(thrown, { address })
    }
  }

  /** By name. */
  async brokerGroups(): Promise<BrokerGroup[]> {
    const purpose = { doing: 'describing the cluster' }
    const { body } = await this.askNameServer(GET_BROKER_CLUSTER_INFO, {}, purpose)
    const { brokerAddrTable } = parsed(ClusterInfo, body, this.nameServers)
    return Object.values(brokerAddrTable).sort((a, b) => (a.brokerName < b.brokerName ? -1 : 1))
  }

  /** By name; never empty. @throws RelayError BROKER_UNAVAILABLE */
  async masters(): Promise<Master[]> {
    const masters = (await this.brokerGroups()).flatMap(({ cluster, brokerName: broker, brokerAddrs }) => {
      const address = brokerAddrs[MASTER_ID]
      return address === undefined ? [] : [{ cluster, broker, address }]
    })
    if (masters.length > 0) return masters
    throw new RelayError(
      'BROKER_UNAVAILABLE',
      `the name server at ${this.nameServers} knows no running broker: start one, or check the address`,
    )
  }

  refusal(answer: RemotingCommand, address: string, { doing, topic }: Purpose): RelayError {
    const reason = (answer.remark ?? '').split('\n')[0] || `code ${answer.code}`
    const cause = Object.assign(new Error(reason), { name: 'MQClientException', code: answer.code })
    const text = `RocketMQ at ${address} refused while ${doing}: ${reason}`
    if (topic !== undefined && answer.code === CODE.TOPIC_NOT_EXIST) return this.unknownTopic(topic, cause)
    if (/illegal characters|longer than|is blank/.test(reason)) {
      const cure = 'use 1 to 127 of the characters a–z, A–Z, 0–9, _, -, % and |'
      return new RelayError('TOPIC_INVALID', `${text}; ${cure}`, { cause })
    }
    const known = remotingError(cause, { address })
    switch (known.code) {
      case 'AUTHENTICATION_FAILED':
        return known
      case 'NOT_AUTHORIZED':
        return new RelayError(known.code, `${text}; have the adapter's access key allowed to do this`, {
          cause,
        })
      case 'BROKER_UNAVAILABLE':
        // Brokers call everything they cannot do an error of theirs, mistakes of the request included.
        if (answer.code !== CODE.SYSTEM_ERROR) return new RelayError(known.code, text, { cause })
        return new RelayError('BROKER_REFUSED', text, { cause })
      default:
        return new RelayError('BROKER_REFUSED', text, { cause })
    }
  }

  unknownTopic(topic: string, cause?: unknown): RelayError {
    return new RelayError(
      'TOPIC_UNKNOWN',
      `topic ${topic} does not exist at RocketMQ ${this.nameServers}: \`bpmn-relay topic list\` shows those there are`,
      { cause },
    )
  }

  close(): Promise<void> {
    return closeClient(this.#client)
  }
}

/** @throws RelayError INTERNAL when the answer is not of this form. */
export function parsed<Schema extends TSchema>(
  schema: Schema,
  body: Buffer,
  address: string,
): Static<Schema> {
  try {
    return Value.Parse(schema, parseFastjson(body.toString()))
  } catch (cause) {
    const text = `RocketMQ at ${address} gave an answer that cannot be read: ${messageOf(cause)}`
    throw new RelayError('INTERNAL', text, { cause })
  }
}

function isUnanswered(error: unknown): boolean {
  return (
    error instanceof RelayError && (error.code === 'BROKER_UNREACHABLE' || error.code === 'BROKER_TIMEOUT')
  )
}
