import type { ISocketFactory } from 'kafkajs'
import type { BrokerDriver } from '../broker.js'
import { KafkaClients, openSocket } from './client.js'
import { KafkaConnection } from './connection.js'
import { checkSource } from './consume/source.js'
import { subscribe } from './consume/subscribe.js'
import { createKafkaOperator } from './operator.js'
import { type KafkaSettings, parseKafkaSettings } from './settings.js'
import { kafkaSettingsSchema } from './settings-schema.js'

export interface KafkaDriverOptions {
  /** Opens the sockets of all connections; default: plain TCP or TLS as the settings say. */
  socketFactory?: ISocketFactory
}

export function createKafkaDriver({ socketFactory = openSocket }: KafkaDriverOptions = {}) {
  return {
    kind: 'kafka',
    taskType: 'Kafka Producer',
    inputs: ['key', 'headers', 'partition', 'timestamp', 'deliverySemantic'],
    acceptsNull: true,
    settings: kafkaSettingsSchema,
    parse: parseKafkaSettings,
    connect: (settings, context) =>
      new KafkaConnection(settings, context, new KafkaClients(settings, socketFactory, context.log)),
    operate: (settings, { log }) =>
      createKafkaOperator(settings, new KafkaClients(settings, socketFactory, log), log),
    checkSource: (settings, source) => checkSource(source, settings),
    subscribe: (settings, source, handle, context) =>
      subscribe(settings, source, handle, context, socketFactory),
  } satisfies BrokerDriver<KafkaSettings>
}
