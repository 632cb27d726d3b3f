import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateLimit } from '../../../src/brokers/rate-limit.js'
import { RelayError } from '../../../src/core/errors.js'

const MANY = 1000

test('turns come at the pace of the limit, in the order they were asked for', async () => {
  const limit = new RateLimit(100)
  const start = performance.now()
  const order: number[] = []

  await Promise.all(
    Array.from({ length: 21 }, async (_, i) => {
      await limit.turn(MANY)
      order.push(i)
    }),
  )

  const tookMs = performance.now() - start
  assert.ok(tookMs >= 198, `${tookMs} ms`)
  assert.deepEqual(order, [...order.keys()])
})

test('who would wait longer than a second is sent away, each with a time of its own to come back', async () => {
  const { served, refusals } = await rush(new RateLimit(20), 60, MANY)

  assert.equal(served, 21)
  const times = refusals.map(({ retryAfterMs }) => retryAfterMs ?? 0)
  assert.equal(refusals[0]?.code, 'ADAPTER_RATE_LIMITED')
  assert.equal(refusals[0]?.outcome, 'held')
  assert.equal(new Set(times).size, 39)
  assert.ok(Math.min(...times) >= 1000 && Math.max(...times) <= 3100, `${times}`)
})

test('no more may wait than have places', async () => {
  const { served } = await rush(new RateLimit(20), 60, 5)

  assert.equal(served, 6)
})

test('time that passed unused is not made up for', async () => {
  const limit = new RateLimit(50)
  await limit.turn(MANY)
  const start = performance.now()
  while (performance.now() - start < 100) await new Promise(setImmediate)

  const again = performance.now()
  await Promise.all(Array.from({ length: 6 }, () => limit.turn(MANY)))

  assert.ok(performance.now() - again >= 98)
})

async function rush(limit: RateLimit, callers: number, places: number) {
  const outcomes = await Promise.allSettled(Array.from({ length: callers }, () => limit.turn(places)))
  const refusals = outcomes.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return []
    assert.ok(outcome.reason instanceof RelayError)
    return outcome.reason
  })
  return { served: callers - refusals.length, refusals }
}
