import { subscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'

const PRODUCE = 0

/** Counts the produce requests this process sends to Kafka from now on, whoever makes them. */
export function countProduceRequests(): () => number {
  let count = 0
  subscribe('net.client.socket', (message) => {
    if (message === null || typeof message !== 'object' || !('socket' in message)) return
    const { socket } = message
    if (!(socket instanceof Socket)) return
    // Not before: connecting puts back the `write` of the prototype.
    socket.once('connect', () => {
      socket.write = new Proxy(socket.write, {
        apply(write, self, args) {
          if (isProduceRequest(args[0])) count += 1
          return Reflect.apply(write, self, args)
        },
      })
    })
  })
  return () => count
}

/** A request of Kafka's protocol starts with the length of what follows and the number of its kind. */
function isProduceRequest(data: unknown): boolean {
  return (
    data instanceof Buffer &&
    data.length > 6 &&
    data.readInt32BE(0) === data.length - 4 &&
    data.readInt16BE(4) === PRODUCE
  )
}
