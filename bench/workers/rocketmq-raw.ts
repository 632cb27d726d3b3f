import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { RocketmqRawLoad } from '../loads.js'
import { contractHeaders, orderText } from './message.js'
import { countProduceRequests } from './produce-requests.js'
import { sent, turnsOf } from './sent.js'
import { inSlots } from './slots.js'

interface RawProducer {
  send(topic: string, body: Buffer, properties: Record<string, string>): Promise<void>
  close(): Promise<unknown>
}

/** In a child: sends what bpmn-relay would send, one message a send, by the producer that `start` makes. */
export async function serveRaw(start: (address: string) => Promise<RawProducer>): Promise<void> {
  const { address } = setupOf(Type.Object({ address: Type.String() }))
  const requests = countProduceRequests()
  const producer = await start(address)
  let number = 0
  serve(
    RocketmqRawLoad,
    ({ topics, bytes, sends, limit }) => {
      const topicOf = turnsOf(topics)
      const step = () => {
        number += 1
        return producer.send(topicOf(number), Buffer.from(orderText(number, bytes)), contractHeaders(number))
      }
      return sent(1, requests, () => inSlots(sends, { steps: limit.messages, ms: limit.ms }, step))
    },
    () => producer.close(),
  )
}
