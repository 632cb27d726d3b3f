/**
 * The part of kafkajs in use below its producer: connections to single brokers and the encoding of requests. See
 * docs/adr/0009-produce-requests-of-our-own.md.
 */
declare module 'kafkajs/src/broker/index.js' {
  import type { DescribeConfigResponse, ResourceConfigQuery } from 'kafkajs'
  import type { Logger } from 'kafkajs/src/loggers/index.js'
  import type ConnectionPool from 'kafkajs/src/network/connectionPool.js'

  export interface Request {
    apiKey: number
    apiVersion: number
    apiName: string
    expectResponse?(): boolean
    /** `buffer` is what goes out; that `buf` is a buffer too is how kafkajs knows its encoders. */
    encode(): Promise<{ buf: Buffer; buffer: Buffer }>
  }

  export interface ProtocolCall {
    request: Request
    response: {
      decode(answer: Buffer): Promise<unknown>
      /** Throws the first error an answer holds; one that gives the answer back leaves that to the caller. */
      parse(decoded: unknown): Promise<unknown>
    }
    logResponseError?: boolean
    /** Default: that of the connection. */
    requestTimeout?: number | undefined
  }

  /** Requests whose encoders are in use. */
  export type RequestName =
    | 'Produce'
    | 'Fetch'
    | 'ListOffsets'
    | 'Metadata'
    | 'OffsetCommit'
    | 'OffsetFetch'
    | 'GroupCoordinator'
    | 'JoinGroup'
    | 'Heartbeat'
    | 'LeaveGroup'
    | 'SyncGroup'

  export type Definition = { readonly versions: string[] }

  /** One broker of the cluster, reached through the pool's connections. */
  export default class Broker {
    constructor(options: { connectionPool: ConnectionPool; logger: Logger; authenticationTimeout: number })
    isConnected(): boolean
    connect(): Promise<void>
    /** A request in the newest version both sides know. */
    lookupRequest(apiKey: number, definition: Definition): (fields: object) => ProtocolCall
    initProducerId(request: {
      transactionTimeout: number
    }): Promise<{ producerId: string; producerEpoch: number }>
    describeConfigs(request: { resources: ResourceConfigQuery[] }): Promise<DescribeConfigResponse>
  }
}

declare module 'kafkajs/src/network/connectionPool.js' {
  import type { ISocketFactory, KafkaConfig } from 'kafkajs'
  import type { ProtocolCall } from 'kafkajs/src/broker/index.js'
  import type { Logger } from 'kafkajs/src/loggers/index.js'

  export default class ConnectionPool {
    constructor(options: {
      host: string
      port: number
      clientId: string
      logger: Logger
      socketFactory: ISocketFactory
      connectionTimeout: number
      requestTimeout: number
      ssl: KafkaConfig['ssl']
      sasl: KafkaConfig['sasl']
    })
    send(call: ProtocolCall): Promise<unknown>
  }
}

declare module 'kafkajs/src/loggers/index.js' {
  import type { logCreator, logLevel } from 'kafkajs'

  export interface Logger {
    namespace(name: string): Logger
  }

  /** CommonJS: Node.js sees it only on the default export. */
  const loggers: { createLogger(options: { level: logLevel; logCreator: logCreator }): Logger }
  export default loggers
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  import type { Definition, RequestName } from 'kafkajs/src/broker/index.js'

  const protocol: { requests: Record<RequestName, Definition> }
  export default protocol
}

declare module 'kafkajs/src/protocol/requests/apiKeys.js' {
  import type { RequestName } from 'kafkajs/src/broker/index.js'

  const apiKeys: Record<RequestName, number>
  export default apiKeys
}

declare module 'kafkajs/src/protocol/error.js' {
  import type { KafkaJSProtocolError } from 'kafkajs'

  const errors: { createErrorFromCode(code: number): KafkaJSProtocolError }
  export default errors
}
