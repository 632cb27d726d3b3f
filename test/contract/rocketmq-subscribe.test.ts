import { after } from 'node:test'
import { createRocketmqDriver } from '../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../src/core/log.js'
import { createTopic } from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import { message } from './broker-contract.js'
import { describeSubscribeContract } from './subscribe-contract.js'

const { nameServer } = testServers().rocketmq
const driver = createRocketmqDriver()
const context = { adapter: 'contract', log: silentLog }
const publisher = driver.connect(driver.parse(nameServer, {}), context)
after(() => publisher.close())

describeSubscribeContract({
  name: 'RocketMQ (remoting)',
  subscribe: (source, handle, address = nameServer) =>
    driver.subscribe(driver.parse(address, { connectTimeoutMs: 2000 }), source, handle, context),
  newTopic: (ordered) => createTopic(nameServer, { type: ordered ? 'FIFO' : 'NORMAL' }),
  publish: async (topic, values, messageGroup) => {
    if (messageGroup === undefined) {
      await Promise.all(values.map((value) => publisher.publish(message(topic, value))))
    } else {
      for (const value of values) await publisher.publish(message(topic, value, { messageGroup }))
    }
  },
  hasPositions: true,
})
