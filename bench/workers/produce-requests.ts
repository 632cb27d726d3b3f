import { subscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'

const KAFKA_PRODUCE = 0
const ROCKETMQ_JSON = '{'
const ROCKETMQ_SEND = /^\{"code":3[12]0\b/

/**
 * Counts the requests with messages that this process sends from now on, whoever makes them: to Kafka, and to RocketMQ
 * over remoting.
 */
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

/** Both protocols start a request with the length of what follows. */
function isProduceRequest(data: unknown): boolean {
  if (!(data instanceof Buffer) || data.length <= 8 || data.readInt32BE(0) !== data.length - 4) return false
  return isRemoting(data) ? ROCKETMQ_SEND.test(data.toString('latin1', 8, 32)) : isKafkaProduce(data)
}

/** RocketMQ goes on with the length of a header, and the header as JSON; Kafka would have had billions of requests. */
function isRemoting(data: Buffer): boolean {
  return data.toString('latin1', 8, 9) === ROCKETMQ_JSON
}

/** Kafka goes on with the number of the request's kind. */
function isKafkaProduce(data: Buffer): boolean {
  return data.readInt16BE(4) === KAFKA_PRODUCE
}
