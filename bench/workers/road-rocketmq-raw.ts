import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { contractHeaders, orderText } from './message.js'

interface RawProducer {
  send(body: Buffer, properties: Record<string, string>): Promise<void>
  close(): Promise<unknown>
}

/** In a child: sends what bpmn-relay would send, as fast as `start`'s producer does it by itself. */
export async function serveRaw(
  start: (address: string, topic: string) => Promise<RawProducer>,
): Promise<void> {
  const { address, topic, bytes, maxInFlight } = setupOf(
    Type.Object({
      address: Type.String(),
      topic: Type.String(),
      bytes: Type.Number(),
      maxInFlight: Type.Number(),
    }),
  )
  const producer = await start(address, topic)
  let number = 0
  serve(
    Type.Object({ messages: Type.Number() }),
    ({ messages }) =>
      measured(async () => {
        let left = messages
        const slot = async () => {
          while (left > 0) {
            left -= 1
            number += 1
            await producer.send(Buffer.from(orderText(number, bytes)), contractHeaders(number))
          }
        }
        await Promise.all(Array.from({ length: maxInFlight }, slot))
      }),
    () => producer.close(),
  )
}
