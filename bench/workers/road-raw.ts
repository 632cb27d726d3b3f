// The ceiling: kafkajs alone. Safe, the records are those bpmn-relay writes, headers included, sent idempotent with acks
// all; plain, values alone, not idempotent, acks all.
import { Kafka, logLevel, type Message } from 'kafkajs'
import { type Static, Type } from 'typebox'
import { compressionOf, registerCodecs } from '../../src/brokers/kafka/compression.js'
import { serve, setupOf } from '../child.js'
import { RawLoad } from '../loads.js'
import { contractHeaders, orderText } from './message.js'
import { countProduceRequests } from './produce-requests.js'
import { sent, turnsOf } from './sent.js'
import { inSlots } from './slots.js'

const { bootstrapServers } = setupOf(Type.Object({ bootstrapServers: Type.String() }))
registerCodecs()
const requests = countProduceRequests()
const kafka = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR })
const safe = kafka.producer({ allowAutoTopicCreation: false, idempotent: true })
const plain = kafka.producer({ allowAutoTopicCreation: false })
await Promise.all([safe.connect(), plain.connect()])
let number = 0

serve(RawLoad, send, () => Promise.all([safe.disconnect(), plain.disconnect()]))

function send(load: Static<typeof RawLoad>) {
  const { perSend, sends, limit, topics } = load
  const producer = load.isPlain ? plain : safe
  const compression = compressionOf(load.compression)?.attribute ?? 0
  const topicOf = turnsOf(topics)
  const step = () => {
    const messagesOf = new Map<string, Message[]>()
    for (let count = 0; count < perSend; count += 1) {
      number += 1
      const topic = topicOf(number)
      const messages = messagesOf.get(topic)
      if (messages) messages.push(messageOf(load))
      else messagesOf.set(topic, [messageOf(load)])
    }
    const topicMessages = [...messagesOf].map(([topic, messages]) => ({ topic, messages }))
    return producer.sendBatch({ acks: -1, compression, topicMessages })
  }
  const steps = Math.ceil(limit.messages / perSend)
  return sent(perSend, requests, () => inSlots(sends, { steps, ms: limit.ms }, step))
}

function messageOf({ bytes, keyed, isPlain }: Static<typeof RawLoad>): Message {
  return {
    value: orderText(number, bytes),
    ...(isPlain ? {} : { headers: contractHeaders(number) }),
    ...(keyed && !isPlain ? { key: `order-${number}` } : {}),
  }
}
