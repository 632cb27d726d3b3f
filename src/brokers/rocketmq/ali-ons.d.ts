/** The part of ali-ons in use: its protocol client, below its producer. See docs/adr/0003-two-rocketmq-clients.md. */
declare module 'ali-ons/lib/mq_client_api.js' {
  import type { EventEmitter } from 'node:events'
  import type RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'

  interface Logger {
    debug(...args: unknown[]): void
    info(...args: unknown[]): void
    warn(...args: unknown[]): void
    error(...args: unknown[]): void
  }

  interface RouteData {
    /** Address by broker id; 0 is the master. */
    brokerDatas: Array<{ brokerName: string; brokerAddrs: Record<string, string> }>
    queueDatas: Array<{ brokerName: string; perm: number; readQueueNums: number; writeQueueNums: number }>
  }

  interface SendHeader {
    producerGroup: string
    topic: string
    /** Topic after whose settings the broker creates an unknown one. */
    defaultTopic: string
    defaultTopicQueueNums: number
    queueId: number
    sysFlag: number
    bornTimestamp: number
    flag: number
    /** name \x01 value \x02 … */
    properties: string
    reconsumeTimes: number
    unitMode: boolean
  }

  interface SendAnswer {
    sendStatus: 'SEND_OK' | 'FLUSH_DISK_TIMEOUT' | 'FLUSH_SLAVE_TIMEOUT' | 'SLAVE_NOT_AVAILABLE'
    /** As the server spells it, number or text. */
    messageQueue: { queueId: number | string }
    queueOffset: number
  }

  interface Heartbeat {
    clientID: string
    producerDataSet: Array<{ groupName: string }>
    consumerDataSet: never[]
  }

  /** Every call rejects with the server's refusal (`name` MQClientException, numeric `code`) or a socket error. */
  export default class MQClientAPI extends EventEmitter {
    constructor(options: {
      nameSrv: string[]
      /** Unused with `nameSrv`, yet asserted on. */
      httpclient: object
      logger: Logger
      connectTimeout: number
      accessKey?: string
      secretKey?: string
    })
    ready(): Promise<void>
    /** Asks one name server after the other, each for `timeoutMs`; undefined: an answer without a body. */
    getTopicRouteInfoFromNameServer(topic: string, timeoutMs: number): Promise<RouteData | undefined>
    sendMessage(
      brokerAddress: string,
      brokerName: string,
      message: { topic: string; body: Buffer },
      header: SendHeader,
      timeoutMs: number,
    ): Promise<SendAnswer>
    sendHearbeat(brokerAddress: string, data: Heartbeat, timeoutMs: number): Promise<void>
    /** Any request. Resolves to refusals as well: their `code` is not 0. */
    invoke(address: string, command: RemotingCommand, timeoutMs: number): Promise<RemotingCommand>
    /** Sends what needs no answer, or is one. */
    invokeOneway(address: string, command: RemotingCommand): Promise<void>
    close(): Promise<void>
  }
}

declare module 'ali-ons/lib/protocol/command/remoting_command.js' {
  export default class RemotingCommand {
    static createRequestCommand(
      code: number,
      header: Record<string, string | number | boolean>,
    ): RemotingCommand
    static createResponseCommand(code: number, opaque: number, remark: string): RemotingCommand
    code: number
    remark?: string
    /** Of an answer: its header. */
    extFields: Record<string, string>
    /** `null` in requests made here, absent in answers without one. */
    body?: Buffer | null
  }
}
