// The producer of ali-ons alone, its settings as they come: one send a message, many in flight.
import { Message, Producer } from 'ali-ons'
import { serveRaw } from './rocketmq-raw.js'

await serveRaw(async (address) => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const producer = new Producer({ nameSrv: address, httpclient: {}, producerGroup: 'GID_bench', logger })
  await producer.ready()
  return {
    async send(topic, body, properties) {
      const message = new Message(topic, body)
      Object.assign(message.properties, properties)
      const { sendStatus } = await producer.send(message)
      if (sendStatus !== 'SEND_OK') throw new Error(sendStatus)
    },
    close: () => producer.close(),
  }
})
