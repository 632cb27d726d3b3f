// The ceiling of forwarding: kafkajs alone, which consumes and sends what it consumed, 500 messages a send.
import { Kafka, logLevel } from 'kafkajs'
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'

const PER_SEND = 500

const { bootstrapServers, from, to, group } = setupOf(
  Type.Object({
    bootstrapServers: Type.String(),
    from: Type.String(),
    to: Type.String(),
    group: Type.String(),
  }),
)
const kafka = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR })
const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: true })
const consumer = kafka.consumer({ groupId: group })
let left = 0
let begin = () => {}
let done = () => {}

await Promise.all([producer.connect(), consumer.connect()])
await consumer.subscribe({ topic: from, fromBeginning: true })
const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()))
await consumer.run({
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
    begin()
    for (let first = 0; first < batch.messages.length; first += PER_SEND) {
      const part = batch.messages.slice(first, first + PER_SEND)
      const messages = part.map(({ key, value, headers, timestamp }) => ({
        key,
        value,
        timestamp,
        ...(headers ? { headers } : {}),
      }))
      await producer.send({ topic: to, acks: -1, messages })
      resolveOffset(part.at(-1)?.offset ?? batch.lastOffset())
      await commitOffsetsIfNecessary()
      await heartbeat()
      left -= part.length
      if (left <= 0) done()
    }
  },
})
await joined
consumer.pause([{ topic: from }])

serve(
  Type.Object({ messages: Type.Number() }),
  async ({ messages }) => {
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const all = new Promise<void>((resolve) => {
      done = resolve
    })
    left = messages
    consumer.resume([{ topic: from }])
    // A consumer that was paused looks around only every five seconds: that is not counted.
    await begun
    const run = await measured(() => all)
    consumer.pause([{ topic: from }])
    return run
  },
  async () => {
    await consumer.disconnect()
    await producer.disconnect()
  },
)
