import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Pace } from '../../../src/engine/pace.js'

const REFUSAL = new Error('too many')

describe('a pace', () => {
  it('lets any number of calls go until one is refused', () => {
    const { out, call } = calls()
    for (let n = 0; n < 1000; n += 1) call()
    assert.equal(out.length, 1000)
  })

  it('keeps a fifth of the calls back after a refusal, and the others of that moment count no more', async () => {
    const { out, call } = calls()
    const ended = Array.from({ length: 10 }, call)
    for (const { reject } of out.splice(0, 2)) reject(REFUSAL)
    await Promise.allSettled(ended.slice(0, 2))
    call()
    assert.equal(out.length, 8)
  })

  it('lets those that wait go in their order, as others end', async () => {
    const { out, call, begun } = calls()
    const ended = Array.from({ length: 10 }, call)
    out[0]?.reject(REFUSAL)
    await Promise.allSettled(ended.slice(0, 1))
    for (let n = 10; n < 13; n += 1) call()
    for (const { resolve } of out.slice(1, 5)) resolve()
    await Promise.all(ended.slice(1, 5))
    assert.deepEqual(begun.slice(10), [10, 11, 12])
  })

  it('rises with every answer', async () => {
    const { out, call } = calls()
    const first = [call(), call()]
    out[0]?.reject(REFUSAL)
    out[1]?.resolve()
    await Promise.allSettled(first)
    for (let n = 0; n < 20; n += 1) {
      const before = out.length
      const next = call()
      out[before]?.resolve()
      await next
    }
    const before = out.length
    for (let n = 0; n < 10; n += 1) call()
    assert.equal(out.length - before, 7)
  })

  it('does not slow down for what fails otherwise', async () => {
    const { out, call } = calls()
    const ended = Array.from({ length: 10 }, call)
    for (const { reject } of out) reject(new Error('unknown process'))
    await Promise.allSettled(ended)
    for (let n = 0; n < 10; n += 1) call()
    assert.equal(out.length, 20)
  })
})

/** Calls that end when they are told to; `out` holds those that were let go. */
function calls() {
  const pace = new Pace((error) => error === REFUSAL)
  const out: { resolve: () => void; reject: (error: Error) => void }[] = []
  const begun: number[] = []
  let number = 0
  const call = () => {
    const own = number++
    return pace.run(() => {
      begun.push(own)
      return new Promise<void>((resolve, reject) => out.push({ resolve, reject }))
    })
  }
  return { out, call, begun }
}
