import type { ISocketFactory } from 'kafkajs'
import type { BrokerDriver } from '../broker.js'
import { KafkaClients, openSocket } from './client.js'
import { KafkaConnection } from './connection.js'
import { type KafkaSettings, kafkaSettingsSchema, parseKafkaSettings } from './settings.js'

export interface KafkaDriverOptions {
  /** Opens the sockets of all connections; default: plain TCP or TLS as the settings say. */
  socketFactory?: ISocketFactory
}

export function createKafkaDriver({
  socketFactory = openSocket,
}: KafkaDriverOptions = {}): BrokerDriver<KafkaSettings> {
  return {
    kind: 'kafka',
    taskType: 'Kafka Producer',
    inputs: ['key', 'headers', 'partition', 'timestamp'],
    acceptsNull: true,
    settings: kafkaSettingsSchema,
    parse: parseKafkaSettings,
    connect: (settings, context) =>
      new KafkaConnection(settings, context, new KafkaClients(settings, socketFactory, context.log)),
  }
}
