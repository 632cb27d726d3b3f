import net from 'node:net'
import { crc32c } from '@node-rs/crc32'
import type { ISocketFactory } from 'kafkajs'

const PRODUCE = 0
const SIZE_BYTES = 4

/**
 * Plain sockets that show each produce request before it goes out.
 * @param onProduce told the request and its number, counted from 1 over all sockets; it may change the bytes
 */
export function watchedSockets(onProduce: (request: Buffer, number: number) => void): ISocketFactory {
  let produceRequests = 0
  return ({ host, port, onConnect }) => {
    const socket = net.connect({ host, port }, onConnect)
    const { write } = socket
    // kafkajs writes each request at once: size, API key, API version, correlation id.
    socket.write = (request: Uint8Array | string, ...rest: unknown[]) => {
      if (!Buffer.isBuffer(request)) throw new Error('kafkajs writes buffers')
      if (request.readInt16BE(SIZE_BYTES) === PRODUCE) onProduce(request, ++produceRequests)
      return Reflect.apply(write, socket, [request, ...rest])
    }
    return socket
  }
}

/**
 * Plain sockets on which the answers to some produce requests never arrive, though the broker gave them.
 * @param isSwallowed told the number of the produce request, counted from 1 over all sockets
 */
export function swallowingSockets(isSwallowed: (produceRequest: number) => boolean): ISocketFactory {
  const swallowed = new Set<number>()
  const open = watchedSockets((request, number) => {
    if (isSwallowed(number)) swallowed.add(request.readInt32BE(8))
  })
  return (args) => {
    const socket = open(args)
    const { emit } = socket
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
        if (!swallowed.delete(answer.readInt32BE(SIZE_BYTES))) Reflect.apply(emit, socket, [event, answer])
      }
      return true
    }
    return socket
  }
}

/** How the only batch of a produce request is numbered. */
export interface BatchNumber {
  epoch: number
  sequence: number
}

/** Numbers the only batch of a produce request otherwise, its checksum included. */
export function renumber(request: Buffer, change: (number: BatchNumber) => BatchNumber): void {
  let at = 12
  at += 2 + request.readInt16BE(at) // client id
  at += 2 + 2 + 4 + 4 // no transaction, acks, time limit, topics
  at += 2 + request.readInt16BE(at) // topic
  at += 4 + 4 // partitions, partition
  const batch = request.subarray(at + 4, at + 4 + request.readInt32BE(at))
  const { epoch, sequence } = change({ epoch: batch.readInt16BE(51), sequence: batch.readInt32BE(53) })
  batch.writeInt16BE(epoch, 51)
  batch.writeInt32BE(sequence, 53)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
}
