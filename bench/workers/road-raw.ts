// The ceiling: kafkajs alone, 500 messages a send, one send after the other. The records are those bpmn-relay writes,
// headers included, and as safe: idempotent, acks all.
import { Kafka, logLevel } from 'kafkajs'
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { contractHeaders, orderText } from './message.js'

const SEND = 500

const { bootstrapServers, topic, bytes } = setupOf(
  Type.Object({ bootstrapServers: Type.String(), topic: Type.String(), bytes: Type.Number() }),
)
const kafka = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR })
const safe = kafka.producer({ allowAutoTopicCreation: false, idempotent: true })
const plain = kafka.producer({ allowAutoTopicCreation: false })
await Promise.all([safe.connect(), plain.connect()])
let number = 0

serve(
  /** `plain`: values alone, not idempotent; what kafkajs could do at the most. */
  Type.Object({ jobs: Type.Number(), plain: Type.Boolean() }),
  ({ jobs, plain: isPlain }) =>
    measured(async () => {
      for (let sent = 0; sent < jobs; sent += SEND) {
        const messages = Array.from({ length: Math.min(SEND, jobs - sent) }, () => {
          number += 1
          const value = orderText(number, bytes)
          return isPlain ? { value } : { value, headers: contractHeaders(number) }
        })
        await (isPlain ? plain : safe).send({ topic, acks: -1, messages })
      }
    }),
  () => Promise.all([safe.disconnect(), plain.disconnect()]),
)
