/** The part of ali-ons that only tests use: reading messages. */
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
  }

  export interface PulledMessage {
    queueId: number
    queueOffset: number
    storeTimestamp: number
    body: Buffer
    properties: Record<string, string | null>
  }
}
