// The producer of rocketmq-client-nodejs alone, its settings as they come: one send a message, many in flight.
import { Producer } from 'rocketmq-client-nodejs'
import { serveRaw } from './rocketmq-raw.js'

await serveRaw(async (address) => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const producer = new Producer({ endpoints: address, namespace: '', logger })
  await producer.startup()
  return {
    async send(topic, body, properties) {
      await producer.send({ topic, body, properties: new Map(Object.entries(properties)) })
    },
    close: () => producer.shutdown(),
  }
})
