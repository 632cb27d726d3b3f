// The ceiling: kafkajs alone, 500 messages a send, one send after the other.
import { Kafka, logLevel } from 'kafkajs'
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { orderText } from './message.js'

const SEND = 500

const { bootstrapServers, topic, bytes } = setupOf(
  Type.Object({ bootstrapServers: Type.String(), topic: Type.String(), bytes: Type.Number() }),
)
const producer = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR }).producer({
  allowAutoTopicCreation: false,
})
await producer.connect()
let number = 0

serve(
  Type.Object({ jobs: Type.Number() }),
  ({ jobs }) =>
    measured(async () => {
      for (let sent = 0; sent < jobs; sent += SEND) {
        const messages = Array.from({ length: Math.min(SEND, jobs - sent) }, () => {
          number += 1
          return { value: orderText(number, bytes) }
        })
        await producer.send({ topic, acks: -1, messages })
      }
    }),
  () => producer.disconnect(),
)
