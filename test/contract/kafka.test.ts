import { createKafkaDriver } from '../../src/brokers/kafka/driver.js'
import { silentLog } from '../../src/core/log.js'
import { createTopic, readTopic } from '../helpers/kafka.js'
import { testServers } from '../helpers/servers.js'
import { describeBrokerContract } from './broker-contract.js'

const address = testServers().kafka.bootstrapServers
const driver = createKafkaDriver()

describeBrokerContract({
  name: 'Kafka',
  address,
  connect: (at = address) =>
    driver.connect(driver.parse(at, { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 }), {
      adapter: 'contract',
      log: silentLog,
    }),
  newTopic: () => createTopic(address, { partitions: 3 }),
  read: async (topic, count) => (await readTopic(address, topic, count)).map(({ value }) => String(value)),
})
