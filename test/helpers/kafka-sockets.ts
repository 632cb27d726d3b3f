import net from 'node:net'
import type { ISocketFactory } from 'kafkajs'

const PRODUCE = 0
const SIZE_BYTES = 4

/**
 * Plain sockets on which the answers to some produce requests never arrive, though the broker gave them.
 * @param isSwallowed told the number of the produce request, counted from 1 over all sockets
 */
export function swallowingSockets(isSwallowed: (produceRequest: number) => boolean): ISocketFactory {
  let produceRequests = 0
  return ({ host, port, onConnect }) => {
    const socket = net.connect({ host, port }, onConnect)
    const swallowed = new Set<number>()
    const { write, emit } = socket
    // kafkajs writes each request at once: size, API key, API version, correlation id.
    socket.write = (request: Uint8Array | string, ...rest: unknown[]) => {
      if (!Buffer.isBuffer(request)) throw new Error('kafkajs writes buffers')
      if (request.readInt16BE(SIZE_BYTES) === PRODUCE && isSwallowed(++produceRequests)) {
        swallowed.add(request.readInt32BE(8))
      }
      return Reflect.apply(write, socket, [request, ...rest])
    }
    let buffered = Buffer.alloc(0)
    socket.emit = (event: string, ...args: unknown[]) => {
      const [chunk] = args
      if (event !== 'data' || !Buffer.isBuffer(chunk)) return Reflect.apply(emit, socket, [event, ...args])
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length >= SIZE_BYTES) {
        const end = SIZE_BYTES + buffered.readInt32BE(0)
        if (buffered.length < end) break
        const answer = buffered.subarray(0, end)
        buffered = buffered.subarray(end)
        if (!swallowed.has(answer.readInt32BE(SIZE_BYTES))) Reflect.apply(emit, socket, [event, answer])
      }
      return true
    }
    return socket
  }
}
