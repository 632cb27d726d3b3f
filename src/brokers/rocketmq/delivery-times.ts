import type MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { RelayError } from '../../core/errors.js'

const GET_BROKER_RUNTIME_INFO = 28
const FIRST_MAJOR = 5

const RuntimeInfo = Type.Object({ table: Type.Object({ brokerVersionDesc: Type.String() }) })

/** Which brokers heed an exact delivery time: those before 5.0 deliver such a message at once, without a word. */
export class DeliveryTimes {
  readonly #client: MQClientAPI
  readonly #heeding = new Set<string>()

  constructor(client: MQClientAPI) {
    this.#client = client
  }

  /** @throws RelayError NOT_SUPPORTED, or what `invoke` of the client rejects with */
  async require(broker: string, timeoutMs: number): Promise<void> {
    if (this.#heeding.has(broker)) return
    const version = await this.#versionOf(broker, timeoutMs)
    if (version !== undefined && majorOf(version) < FIRST_MAJOR) {
      throw new RelayError(
        'NOT_SUPPORTED',
        `deliverAt is set, and the broker at ${broker} is RocketMQ ${version}, which knows no exact delivery time: ` +
          `use delayLevel, or a broker of version ${FIRST_MAJOR}.0 or newer`,
      )
    }
    this.#heeding.add(broker)
  }

  /** Such as `4.9.7`; undefined where the access key may not ask, which brokers before 5.0 allow every one. */
  async #versionOf(broker: string, timeoutMs: number): Promise<string | undefined> {
    const command = RemotingCommand.createRequestCommand(GET_BROKER_RUNTIME_INFO, {})
    const answer = await this.#client.invoke(broker, command, timeoutMs)
    if (answer.code !== 0) return undefined
    const { table } = Value.Parse(RuntimeInfo, JSON.parse(String(answer.body)))
    return table.brokerVersionDesc.replace(/^V/, '').replaceAll('_', '.')
  }
}

function majorOf(version: string): number {
  return Number(version.split('.')[0])
}
