// Run as a process of its own by failures.test.ts: publishes one message and closes; the process must then end.
// Arguments: address, protocol, topic.
import { createRocketmqDriver } from '../../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../../src/core/log.js'

const [address = '', protocol, topic = ''] = process.argv.slice(2)
const driver = createRocketmqDriver()
const connection = driver.connect(driver.parse(address, { protocol }), { adapter: 'test', log: silentLog })
await connection.publish({ topic, value: Buffer.from('x'), requestId: 'r', headers: {} })
await connection.close()
