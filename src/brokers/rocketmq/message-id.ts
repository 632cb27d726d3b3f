import { randomBytes } from 'node:crypto'

/**
 * Makes unique message ids in the form RocketMQ's own clients use (16 bytes as upper-case hex), whose bytes 10–13
 * hold the time since the start of the month: look-up by id reads from there when to start searching. The ten bytes
 * before, address and process in Java, are random here: containers share both.
 */
export function messageIds(now: () => Date = () => new Date()): () => string {
  const prefix = randomBytes(10)
  let counter = 0
  return () => {
    const at = now()
    const monthStart = new Date(at.getFullYear(), at.getMonth(), 1)
    const id = Buffer.alloc(16)
    prefix.copy(id)
    id.writeUInt32BE((at.getTime() - monthStart.getTime()) >>> 0, 10)
    counter = (counter + 1) & 0xffff
    id.writeUInt16BE(counter, 14)
    return id.toString('hex').toUpperCase()
  }
}
