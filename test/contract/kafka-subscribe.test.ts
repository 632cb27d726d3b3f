import { after } from 'node:test'
import { createKafkaDriver } from '../../src/brokers/kafka/driver.js'
import { silentLog } from '../../src/core/log.js'
import { createTopic } from '../helpers/kafka.js'
import { testServers } from '../helpers/servers.js'
import { message } from './broker-contract.js'
import { describeSubscribeContract } from './subscribe-contract.js'

const server = testServers().kafka.bootstrapServers
const driver = createKafkaDriver()
const context = { adapter: 'contract', log: silentLog }
const publisher = driver.connect(driver.parse(server, {}), context)
after(() => publisher.close())

describeSubscribeContract({
  name: 'Kafka',
  subscribe: (source, handle, address = server) =>
    driver.subscribe(driver.parse(address, { connectionTimeoutMs: 1000 }), source, handle, context),
  newTopic: () => createTopic(server, { partitions: 3 }),
  publish: async (topic, values, text) => {
    const key = text === undefined ? null : Buffer.from(text)
    await Promise.all(values.map((value) => publisher.publish(message(topic, value, { key }))))
  },
  hasPositions: true,
})
