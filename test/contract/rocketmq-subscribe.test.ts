import { after } from 'node:test'
import { createRocketmqDriver } from '../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../src/core/log.js'
import { createOrderedGroup, createTopic } from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import { message } from './broker-contract.js'
import { describeSubscribeContract } from './subscribe-contract.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq
const driver = createRocketmqDriver()
const context = { adapter: 'contract', log: silentLog }
const publisher = driver.connect(driver.parse(nameServer, {}), context)
after(() => publisher.close())

for (const [protocol, own] of [
  ['remoting', nameServer],
  ['grpc', proxyEndpoint],
] as const) {
  describeSubscribeContract({
    name: `RocketMQ (${protocol})`,
    subscribe: (source, handle, address = own) =>
      driver.subscribe(driver.parse(address, { protocol, connectTimeoutMs: 2000 }), source, handle, context),
    newTopic: (ordered) => createTopic(nameServer, { type: ordered ? 'FIFO' : 'NORMAL' }),
    // Over remoting the members of a group see to the order themselves.
    ...(protocol === 'grpc' && { newOrderedGroup: () => createOrderedGroup(nameServer) }),
    publish: async (topic, values, messageGroup) => {
      if (messageGroup === undefined) {
        await Promise.all(values.map((value) => publisher.publish(message(topic, value))))
      } else {
        for (const value of values) await publisher.publish(message(topic, value, { messageGroup }))
      }
    },
    hasPositions: protocol === 'remoting',
  })
}
