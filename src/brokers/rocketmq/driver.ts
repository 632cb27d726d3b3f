import type { BrokerDriver } from '../broker.js'
import { MESSAGE_ORDERS } from '../subscription.js'
import { RocketmqConnection } from './connection.js'
import { checkSource } from './consume/source.js'
import { subscribe } from './consume/subscribe.js'
import { GrpcWire } from './grpc.js'
import { createRocketmqOperator } from './operator.js'
import { RemotingWire } from './remoting.js'
import { parseSettings, type RocketmqSettings } from './settings.js'
import { rocketmqSettingsSchema } from './settings-schema.js'

export function createRocketmqDriver() {
  return {
    kind: 'rocketmq',
    taskType: 'RocketMQ Producer',
    inputs: ['keys', 'tag', 'properties', 'delayLevel', 'deliverAt', 'messageGroup', 'producerGroup'],
    acceptsNull: false,
    settings: rocketmqSettingsSchema,
    parse: parseSettings,
    connect(settings, context) {
      return settings.protocol === 'remoting'
        ? new RocketmqConnection(new RemotingWire(settings, context.log), settings, context)
        : new RocketmqConnection(new GrpcWire(settings, context.log), settings, context)
    },
    operate: (settings, context) => createRocketmqOperator(settings, context.log),
    // A proxy hands messages out in an order only to groups that are set up for it.
    keptOrders: ({ protocol }) => (protocol === 'grpc' ? ['none'] : MESSAGE_ORDERS),
    checkSource: (settings, source) => checkSource(source, settings),
    subscribe,
  } satisfies BrokerDriver<RocketmqSettings>
}
