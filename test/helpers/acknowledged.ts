import assert from 'node:assert/strict'
import type { OutboundMessage, Receipt } from '../../src/brokers/broker.js'
import type { ReadMessage } from './kafka.js'

/** A message of a series: its value is its number within its key. */
export interface Acknowledged {
  message: OutboundMessage
  receipt: Receipt
}

/** Each acknowledged message lies exactly where its receipt says. */
export function assertPresent(acknowledged: Acknowledged[], log: ReadMessage[]): void {
  const byPlace = new Map(log.map((entry) => [`${entry.partition}@${entry.offset}`, entry]))
  for (const { message, receipt } of acknowledged) {
    assert.equal(receipt.kind, 'kafka')
    const entry = byPlace.get(`${receipt.partition}@${receipt.offset}`)
    assert.deepEqual([entry?.key, entry?.value], [message.key, message.value])
  }
}

/** Of each key, every acknowledged message lies behind all acknowledged before it; only a repetition may follow. */
export function assertOrdered(acknowledged: Acknowledged[], log: ReadMessage[]): void {
  const isAcknowledged = new Set(acknowledged.map(({ message }) => `${message.key} ${message.value}`))
  const firsts = new Set(
    log.map(({ key, value }) => `${key} ${value}`).filter((id) => isAcknowledged.has(id)),
  )
  for (const key of new Set(log.map((entry) => String(entry.key)))) {
    const numbers = [...firsts]
      .filter((id) => id.startsWith(`${key} `))
      .map((id) => Number(id.split(' ').at(-1)))
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    )
  }
}
