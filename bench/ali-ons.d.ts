/** The parts of ali-ons that only benchmarks use: its producer, and making and measuring topics. */
declare module 'ali-ons' {
  export class Message {
    constructor(topic: string, body: Buffer)
    properties: Record<string, string>
  }

  export class Producer {
    constructor(options: {
      nameSrv: string
      /** Unused with `nameSrv`, yet it hangs without. */
      httpclient: object
      producerGroup: string
      logger: Record<'debug' | 'info' | 'warn' | 'error', (...args: unknown[]) => void>
    })
    ready(): Promise<void>
    send(message: Message): Promise<{ sendStatus: string }>
    close(): Promise<void>
  }
}

declare module 'ali-ons/lib/mq_client_api.js' {
  export default interface MQClientAPI {
    createTopic(
      brokerAddress: string,
      defaultTopic: string,
      topic: {
        topicName: string
        readQueueNums: number
        writeQueueNums: number
        perm: number
        topicFilterType: 'SINGLE_TAG'
        topicSysFlag: number
        order: boolean
      },
      timeoutMs: number,
    ): Promise<void>
    getMaxOffset(brokerAddress: string, topic: string, queueId: number, timeoutMs: number): Promise<number>
  }
}
