import type { KafkaConfig } from 'kafkajs'
import type { Tls } from '../tls.js'

/** The part of kafkajs's options that concerns TLS. */
export function tlsOptions({ enabled, serverName, ...options }: Tls): Pick<KafkaConfig, 'ssl'> {
  return enabled ? { ssl: { ...options, ...(serverName && { servername: serverName }) } } : {}
}
