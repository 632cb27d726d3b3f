import net from 'node:net'
import tls from 'node:tls'
import kafkajs, { type ISocketFactory, Kafka, type KafkaConfig, type LogEntry } from 'kafkajs'
import Broker from 'kafkajs/src/broker/index.js'
import loggers from 'kafkajs/src/loggers/index.js'
import ConnectionPool from 'kafkajs/src/network/connectionPool.js'
import type { Log } from '../../core/log.js'
import { registerCodecs } from './compression.js'
import { Link } from './link.js'
import { saslOptions } from './sasl.js'
import type { KafkaSettings } from './settings.js'
import { tlsOptions } from './tls.js'

registerCodecs()

/**
 * One kafkajs client that can be cut off for good. kafkajs takes no abort signal and reconnects by itself, so a
 * client given up on could still send; cut off at its sockets it cannot, and all its calls fail soon.
 */
export interface KafkaClient {
  readonly kafka: Kafka
  /** Destroys all sockets and refuses new ones; calls still waiting fail, giving `reason`. */
  cut(reason: string): void
}

/** Longest time to hand the last bytes to the network before a socket is destroyed. */
const FLUSH_MS = 1000

/** Makes the clients of one connection, each on sockets of its own, and ends them all. */
export class KafkaClients {
  readonly #settings: KafkaSettings
  readonly #openSocket: ISocketFactory
  readonly #log: Log
  readonly #sockets = new Set<net.Socket>()
  /** Shared by all clients, so that they share the tokens of a login. */
  readonly #security: Pick<KafkaConfig, 'ssl' | 'sasl'>
  #opened = 0
  #isClosed = false

  constructor(settings: KafkaSettings, openSocket: ISocketFactory, log: Log) {
    this.#settings = settings
    this.#openSocket = openSocket
    this.#log = log
    this.#security = { ...tlsOptions(settings.ssl), ...saslOptions(settings) }
  }

  open(): KafkaClient {
    const { socketFactory, cut } = this.#ownSockets()
    return { kafka: new Kafka({ ...this.#options(), socketFactory }), cut }
  }

  /** A connection to one broker, `host:port`; opened by its first use. */
  link(address: string): Link {
    const { connectionTimeoutMs, requestTimeoutMs, clientId } = this.#settings
    const { socketFactory, cut } = this.#ownSockets()
    const at = address.lastIndexOf(':')
    const logger = loggers.createLogger({ level: kafkajs.logLevel.WARN, logCreator: this.#logCreator })
    const connections = new ConnectionPool({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      clientId,
      logger,
      socketFactory,
      connectionTimeout: connectionTimeoutMs,
      requestTimeout: requestTimeoutMs,
      ssl: this.#security.ssl,
      sasl: this.#security.sasl,
    })
    const broker = new Broker({
      connectionPool: connections,
      logger,
      authenticationTimeout: requestTimeoutMs,
    })
    return new Link(address, broker, connections, cut, this.#settings)
  }

  /** Sends what is still buffered, then closes all sockets of all clients and refuses new ones. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(Array.from(this.#sockets, flushAndDestroy))
  }

  #ownSockets(): Pick<KafkaClient, 'cut'> & { socketFactory: ISocketFactory } {
    const own = new Set<net.Socket>()
    let refusal: string | undefined
    return {
      socketFactory: (args) => {
        if (this.#isClosed) refusal = 'the connection is closed'
        if (refusal !== undefined) throw new Error(refusal)
        const socket = this.#openSocket(args)
        for (const sockets of [own, this.#sockets]) {
          sockets.add(socket)
          socket.once('close', () => sockets.delete(socket))
        }
        return socket
      },
      cut(reason) {
        refusal = reason
        for (const socket of own) destroy(socket, reason)
      },
    }
  }

  // kafkajs reports at ERROR what it then repeats; what ends in failure reaches people as the error of the call.
  readonly #logCreator = () => (entry: LogEntry) => {
    const { timestamp: _, message, logger: __, stack: ___, ...fields } = entry.log
    this.#log.debug(`kafkajs ${entry.namespace}: ${message}`, fields)
  }

  #options(): KafkaConfig {
    const { bootstrapServers: servers, clientId, connectionTimeoutMs, requestTimeoutMs } = this.#settings
    // Each client starts with another server, as kafkajs stays with one that accepts and does not answer.
    const first = this.#opened++ % servers.length
    return {
      brokers: [...servers.slice(first), ...servers.slice(0, first)],
      clientId,
      connectionTimeout: connectionTimeoutMs,
      authenticationTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: true,
      // Enough to try every bootstrap server once.
      retry: { retries: servers.length, initialRetryTime: 100, maxRetryTime: 400 },
      ...this.#security,
      logLevel: kafkajs.logLevel.WARN,
      logCreator: this.#logCreator,
    }
  }
}

/** With an error, as kafkajs does not listen to a bare close and would wait out its request timeouts. */
function destroy(socket: net.Socket, reason: string): void {
  socket.destroy(new Error(reason))
}

function flushAndDestroy(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = () => destroy(socket, 'the connection is closed')
    const timer = setTimeout(end, FLUSH_MS)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.end(end)
  })
}

export const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? tls.connect({ host, port, ...(net.isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : net.connect({ host, port }, onConnect)
  return socket.setKeepAlive(true, 60_000).setNoDelay(true)
}
