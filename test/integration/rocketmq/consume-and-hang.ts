// Run as a process of its own by consume-outage.test.ts: joins a group, says so, prints what it gets and never ends
// to handle it. Arguments: name server, topic, group.
import { createRocketmqDriver } from '../../../src/brokers/rocketmq/driver.js'
import { silentLog } from '../../../src/core/log.js'

const [nameServer = '', topic = '', group = ''] = process.argv.slice(2)
const driver = createRocketmqDriver()
await driver.subscribe(
  driver.parse(nameServer, {}),
  { group, topics: [{ topic }], from: { at: 'latest' } },
  async (messages) => {
    for (const { value } of messages) process.stdout.write(`${value}\n`)
    await new Promise(() => undefined)
  },
  { adapter: 'test', log: silentLog },
)
process.stdout.write('joined\n')
