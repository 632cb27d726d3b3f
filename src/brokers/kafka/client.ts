import net from 'node:net'
import tls from 'node:tls'
import { type ISocketFactory, Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs'
import type { Log } from '../../core/log.js'
import type { KafkaSettings } from './settings.js'

/**
 * One kafkajs client that can be cut off for good. kafkajs takes no abort signal and reconnects by itself, so a
 * client given up on could still send; cut off at its sockets it cannot, and all its calls fail soon.
 */
export interface KafkaClient {
  readonly kafka: Kafka
  /** Destroys all sockets and refuses new ones; calls still waiting fail, giving `reason`. */
  cut(reason: string): void
}

/** Makes clients; each starts with another bootstrap server, as kafkajs stays with one that hangs. */
export function clientFactory(settings: KafkaSettings, base: ISocketFactory, log: Log): () => KafkaClient {
  const { bootstrapServers: servers } = settings
  let first = 0
  return () => {
    const brokers = [...servers.slice(first), ...servers.slice(0, first)]
    first = (first + 1) % servers.length
    return openClient({ ...settings, bootstrapServers: brokers }, base, log)
  }
}

function openClient(settings: KafkaSettings, base: ISocketFactory, log: Log): KafkaClient {
  const sockets = new Set<net.Socket>()
  let cutReason: string | undefined
  const kafka = new Kafka({
    brokers: settings.bootstrapServers,
    clientId: settings.clientId,
    connectionTimeout: settings.connectionTimeoutMs,
    authenticationTimeout: settings.requestTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    enforceRequestTimeout: true,
    // Enough to try every bootstrap server once.
    retry: { retries: settings.bootstrapServers.length, initialRetryTime: 100, maxRetryTime: 400 },
    ...security(settings),
    logLevel: logLevel.WARN,
    // kafkajs reports at ERROR what it then repeats; what ends in failure reaches people as the error of the call.
    logCreator: () => (entry) => {
      const { timestamp: _, message, logger: __, stack: ___, ...fields } = entry.log
      log.debug(`kafkajs ${entry.namespace}: ${message}`, fields)
    },
    socketFactory: (args) => {
      if (cutReason !== undefined) throw new Error(cutReason)
      const socket = base(args)
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  })
  return {
    kafka,
    cut(reason) {
      cutReason = reason
      // With an error, as kafkajs does not listen to a bare close and would wait out its request timeouts.
      for (const socket of sockets) socket.destroy(new Error(reason))
    },
  }
}

export const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? tls.connect({ host, port, ...(net.isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : net.connect({ host, port }, onConnect)
  return socket.setKeepAlive(true, 60_000).setNoDelay(true)
}

function security({ ssl, sasl }: KafkaSettings): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  const { enabled, serverName, ...tlsOptions } = ssl
  return {
    ...(enabled && { ssl: { ...tlsOptions, ...(serverName && { servername: serverName }) } }),
    ...(sasl && { sasl: saslOptions(sasl) }),
  }
}

/** The same object, told apart by mechanism as the type of kafkajs wants it. */
function saslOptions({ mechanism, ...login }: NonNullable<KafkaSettings['sasl']>): SASLOptions {
  switch (mechanism) {
    case 'plain':
      return { mechanism, ...login }
    case 'scram-sha-256':
      return { mechanism, ...login }
    case 'scram-sha-512':
      return { mechanism, ...login }
  }
}
