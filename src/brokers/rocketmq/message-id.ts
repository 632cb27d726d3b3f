import { randomBytes } from 'node:crypto'

/**
 * Makes unique message ids in the form RocketMQ's own clients use (16 bytes as upper-case hex), whose bytes 10–13
 * hold the time since the start of the month: look-up by id reads from there when to start searching. The ten bytes
 * before, address and process in Java, are random here: containers share both.
 */
export function messageIds(now: () => Date = () => new Date()): () => string {
  const prefix = randomBytes(10).toString('hex').toUpperCase()
  let counter = 0
  return () => {
    const at = now()
    const monthStart = new Date(at.getFullYear(), at.getMonth(), 1)
    counter = (counter + 1) & 0xffff
    return prefix + hex((at.getTime() - monthStart.getTime()) >>> 0, 8) + hex(counter, 4)
  }
}

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, '0')
}
