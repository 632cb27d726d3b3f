import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Dispatcher, type Queued, QueueWork } from '../../../src/brokers/queue-work.js'
import { CLOSE_BUDGET_MS } from '../../../src/brokers/subscription.js'
import { waitFor } from '../../helpers/wait-for.js'

interface Message extends Queued {
  lane: string | undefined
}

const message = (offset: number, lane?: string): Message => ({
  offset: BigInt(offset),
  size: 10,
  attempt: 1,
  lane,
})

/** A queue whose handlers end when the test says so. */
function controlled({ concurrency = 10, batchSize = 1, retry = undefined as number | undefined } = {}) {
  const running = new Map<string, (error?: Error) => void>()
  const dispatcher = new Dispatcher(concurrency)
  const work = new QueueWork<Message>({
    start: 0n,
    batchSize,
    laneOf: ({ lane }) => lane,
    handle: (batch) =>
      new Promise((resolve, reject) => {
        const name = batch.map(({ offset, attempt }) => `${offset}${'!'.repeat(attempt - 1)}`).join('+')
        running.set(name, (error) => {
          running.delete(name)
          if (error) reject(error)
          else resolve()
        })
      }),
    afterFailure: async () => retry,
    onProgress: () => dispatcher.dispatch(),
  })
  dispatcher.add(work)
  const add = (messages: Message[], end: number) => {
    work.add(messages, BigInt(end))
    dispatcher.dispatch()
  }
  const finish = async (name: string, error?: Error) => {
    running.get(name)?.(error)
    await new Promise(setImmediate)
  }
  return { work, dispatcher, add, finish, running: () => [...running.keys()] }
}

describe('the work of a queue', () => {
  test('has a position that never passes a message that is not done', async () => {
    const { work, add, finish } = controlled()
    add([message(0), message(1), message(2)], 5)

    await finish('1')
    await finish('2')
    const while0 = work.position
    await finish('0')

    assert.equal(while0, 0n)
    assert.equal(work.position, 5n)
  })

  test('moves its position over messages that nobody wants', () => {
    const { work, add } = controlled()

    add([], 7)

    assert.equal(work.position, 7n)
  })

  test('handles messages without a lane side by side, and those of a lane one after the other', async () => {
    const { add, finish, running } = controlled()

    add([message(0, 'a'), message(1, 'a'), message(2, 'b'), message(3), message(4)], 5)
    const atFirst = running().sort()
    await finish('0')

    assert.deepEqual(atFirst, ['0', '2', '3', '4'])
    assert.deepEqual(running().sort(), ['1', '2', '3', '4'])
  })

  test('lets nothing of a lane overtake a message that is to be repeated', async () => {
    const { add, finish, running } = controlled({ retry: 5 })
    add([message(0, 'a'), message(1, 'a')], 2)

    await finish('0', new Error('not yet'))
    await waitFor('the repetition', () => running().length > 0)

    assert.deepEqual(running(), ['0!'])
  })

  test('counts a message as done once somebody else has charge of it', async () => {
    const { work, add, finish } = controlled({ retry: undefined })
    add([message(0)], 1)

    await finish('0', new Error('never'))

    assert.equal(work.position, 1n)
    assert.equal(work.bytes, 0)
  })

  test('hands over as many messages at once as it may', () => {
    const { add, running } = controlled({ batchSize: 2, concurrency: 2 })

    add([message(0), message(1), message(2), message(3), message(4)], 5)

    assert.deepEqual(running(), ['0+1', '2+3'])
  })

  test('starts nothing while it is paused', () => {
    const { work, dispatcher, add, running } = controlled()
    work.isPaused = true
    add([message(0)], 1)
    const paused = running()

    work.isPaused = false
    dispatcher.dispatch()

    assert.deepEqual(paused, [])
    assert.deepEqual(running(), ['0'])
  })

  test('lets its handlers know when it is dropped', async () => {
    let isGivenUp: AbortSignal | undefined
    const work = new QueueWork<Message>({
      ...{ start: 0n, batchSize: 1, laneOf: () => undefined, onProgress: () => undefined },
      handle: async (_, signal) => {
        isGivenUp = signal
        await new Promise(() => undefined)
      },
      afterFailure: async () => undefined,
    })
    work.add([message(0)], 1n)
    void work.startNext()
    assert.equal(isGivenUp?.aborted, false)
    work.drop()
    assert.equal(isGivenUp?.aborted, true)
  })

  test('ignores how a handler ends after it was dropped', async () => {
    const { work, add, finish, running } = controlled({ retry: 0 })
    add([message(0), message(1)], 2)

    work.drop()
    await finish('0')
    await finish('1', new Error('too late'))

    assert.equal(running().length, 0)
    assert.equal(work.bytes, 0)
  })
})

describe('the dispatcher', () => {
  test('gives every queue its turn', async () => {
    const order: string[] = []
    const dispatcher = new Dispatcher(1)
    const queue = (name: string, count: number) => ({
      startNext() {
        if (count-- <= 0) return undefined
        order.push(name)
        return Promise.resolve()
      },
    })
    for (const [name, count] of [
      ['a', 3],
      ['b', 3],
    ] as const)
      dispatcher.add(queue(name, count))

    dispatcher.dispatch()
    await waitFor('all to be started', () => order.length === 6)

    assert.equal(order.join(''), 'ababab')
  })

  test('starts nothing any more once it is stopped, and says when the last has ended', async () => {
    const { dispatcher, add, finish, running } = controlled({ concurrency: 1 })
    add([message(0), message(1)], 2)
    let isStopped = false

    const stopping = dispatcher.stop().then(() => {
      isStopped = true
    })
    const before = isStopped
    await finish('0')
    await stopping

    assert.equal(before, false)
    assert.deepEqual(running(), [])
  })

  test('waits no longer than a subscription takes to close for a handler that does not end', async (t) => {
    const { dispatcher, add, running } = controlled()
    add([message(0)], 1)
    t.mock.timers.enable({ apis: ['setTimeout'] })

    const stopping = dispatcher.stop()
    t.mock.timers.tick(CLOSE_BUDGET_MS)
    await stopping

    assert.deepEqual(running(), ['0'])
  })
})
