import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endsWithin, pause, withTimeLimit } from '../../../src/core/time-limit.js'

const never = new Promise<never>(() => undefined)
const tooLate = () => new Error('too late')

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

describe('a time limit', () => {
  it('passes on what the work gave', async () => {
    assert.equal(await withTimeLimit(Promise.resolve(1), 1000, tooLate), 1)
  })

  it('passes on how the work failed', async () => {
    await assert.rejects(withTimeLimit(Promise.reject(new Error('refused')), 1000, tooLate), /refused/)
  })

  it('ends the wait for work that does not end', async () => {
    await assert.rejects(withTimeLimit(never, 5, tooLate), /too late/)
  })

  it('swallows a failure that comes after it', async () => {
    let fail = (_: Error): void => undefined
    const work = new Promise<never>((_, reject) => {
      fail = reject
    })
    await assert.rejects(withTimeLimit(work, 1, tooLate), /too late/)
    fail(new Error('nobody waits for this'))
    // An unhandled rejection would fail this file.
    await new Promise((resolve) => setImmediate(resolve))
  })

  it('keeps no timer once the work is done', async () => {
    const before = timers()
    await withTimeLimit(Promise.resolve(), 60_000, tooLate)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(timers(), before)
  })
})

describe('a wait for the end of work', () => {
  it('tells that it ended, well or not', async () => {
    assert.equal(await endsWithin(Promise.resolve(), 60_000), true)
    assert.equal(await endsWithin(Promise.reject(new Error('refused')), 60_000), true)
  })

  it('tells when the time is over, and swallows a failure that comes after it', async () => {
    let fail = (_: Error): void => undefined
    const work = new Promise<never>((_, reject) => {
      fail = reject
    })
    assert.equal(await endsWithin(work, 1), false)
    fail(new Error('nobody waits for this'))
    // An unhandled rejection would fail this file.
    await new Promise((resolve) => setImmediate(resolve))
  })

  it('keeps no timer once the work is done', async () => {
    const before = timers()
    await endsWithin(Promise.resolve(), 60_000)
    assert.equal(timers(), before)
  })
})

describe('a pause', () => {
  it('is none for 0 and less', async () => {
    const timer = setTimeout(() => assert.fail('it took a timer'), 0)
    await pause(0)
    await pause(-5)
    clearTimeout(timer)
  })

  it('ends with its signal, also one that is over already', async () => {
    const stop = new AbortController()
    const waiting = pause(60_000, stop.signal)
    stop.abort()
    await waiting
    await pause(60_000, stop.signal)
  })
})
