/** The part of ali-ons that only tests use: reading messages and making topics. */
declare module 'ali-ons/lib/mq_client_api.js' {
  export default interface MQClientAPI {
    pullMessage(
      brokerAddress: string,
      header: {
        consumerGroup: string
        topic: string
        queueId: number
        queueOffset: number
        maxMsgNums: number
        sysFlag: number
        commitOffset: number
        suspendTimeoutMillis: number
        subscription: string
        subVersion: number
        expressionType: string
      },
      timeoutMs: number,
    ): Promise<{ pullStatus: string; nextBeginOffset: number; msgFoundList: PulledMessage[] }>
    invoke(
      brokerAddress: string,
      command: object,
      timeoutMs: number,
    ): Promise<{ code: number; remark?: string }>
  }

  export interface PulledMessage {
    queueId: number
    queueOffset: number
    storeTimestamp: number
    body: Buffer
    properties: Record<string, string | null>
  }
}

declare module 'ali-ons/lib/protocol/command/remoting_command.js' {
  const RemotingCommand: {
    createRequestCommand(code: number, header: Record<string, string | number | boolean>): object
  }
  export default RemotingCommand
}
