import { createRocketmqDriver } from '../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../src/core/log.js'
import { createTopic, readTopic } from '../helpers/rocketmq.js'
import { testServers } from '../helpers/servers.js'
import { describeBrokerContract } from './broker-contract.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq
const driver = createRocketmqDriver()

for (const [protocol, address] of [
  ['remoting', nameServer],
  ['grpc', proxyEndpoint],
] as const) {
  describeBrokerContract({
    name: `RocketMQ (${protocol})`,
    address,
    connect: (at = address) =>
      driver.connect(driver.parse(at, { protocol, connectTimeoutMs: 1000, sendTimeoutMs: 1000 }), {
        adapter: 'contract',
        log: silentLog,
      }),
    newTopic: () => createTopic(nameServer),
    read: async (topic, count) => (await readTopic(nameServer, topic, count)).map(({ body }) => String(body)),
  })
}
