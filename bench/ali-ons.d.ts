/** The part of ali-ons that only benchmarks use: its producer. */
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
