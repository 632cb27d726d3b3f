import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Routes } from '../../../../src/brokers/rocketmq/routes.js'
import type { Queue, Route } from '../../../../src/brokers/rocketmq/wire.js'
import { type ErrorCode, RelayError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'

const queue = (broker: string, id: number): Queue => ({ broker, id, address: `${broker}:1` })
const route = (...queues: Queue[]): Route<Queue> => ({ queues, provisional: false })

const TOPIC_LAG_MS = 20

/** Routes whose look-ups give these answers, one after the other. */
function routesOf(...answers: Array<Route<Queue> | ErrorCode>) {
  const rest = [...answers]
  return new Routes(
    async () => {
      const answer = rest.shift()
      if (typeof answer === 'object') return answer
      throw new RelayError(answer ?? 'INTERNAL', 'no answer')
    },
    TOPIC_LAG_MS,
    silentLog,
  )
}

describe('the routes of topics', () => {
  test('are asked for again after a topic was unknown, as it may appear late', async () => {
    const routes = routesOf('TOPIC_UNKNOWN', route(queue('a', 0)))
    await assert.rejects(routes.lookUp('t'))

    assert.equal((await routes.lookUp('t')).queues.length, 1)
  })

  test('may appear until servers were asked for long enough, and anew once nobody has asked for a while', async (t) => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const routes = routesOf(...Array<ErrorCode>(4).fill('TOPIC_UNKNOWN'))
    const mayAppearAt = async (time: number) => {
      now = time
      await assert.rejects(routes.lookUp('t'))
      return routes.mayAppear('t')
    }

    assert.equal(await mayAppearAt(1000), true)
    assert.equal(await mayAppearAt(1000 + TOPIC_LAG_MS - 1), true)
    assert.equal(await mayAppearAt(1000 + TOPIC_LAG_MS), false)
    assert.equal(await mayAppearAt(1001 + 2 * TOPIC_LAG_MS), true)
  })

  test('are kept while the name server is away', async () => {
    const routes = routesOf(route(queue('a', 0)), 'BROKER_UNREACHABLE')
    await routes.lookUp('t')
    await assert.rejects(routes.lookUp('t'))

    assert.deepEqual(routes.known('t')?.queues, [queue('a', 0)])
  })

  test('are kept while a name server that was started anew has not heard of their brokers yet', async () => {
    const routes = routesOf(route(queue('a', 0)), 'TOPIC_UNKNOWN')
    await routes.lookUp('t')
    await assert.rejects(routes.lookUp('t'))

    assert.deepEqual(routes.known('t')?.queues, [queue('a', 0)])
  })

  test('are forgotten once nobody has known the topic for longer than brokers are silent', async (t) => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const routes = routesOf(route(queue('a', 0)), 'TOPIC_UNKNOWN', 'TOPIC_UNKNOWN')
    await routes.lookUp('t')
    await assert.rejects(routes.lookUp('t'))
    now += 90_000
    await assert.rejects(routes.lookUp('t'))

    assert.equal(routes.known('t'), undefined)
  })

  test('are looked up once for all that wait for a topic', async () => {
    const routes = routesOf(route(queue('a', 0)))

    const [first, second] = await Promise.all([routes.lookUp('t'), routes.lookUp('t')])

    assert.equal(first, second)
  })

  test('lead a message group to one queue, also to queue 0, and groups to all of them', async () => {
    const routes = routesOf(route(...Array.from({ length: 4 }, (_, id) => queue('a', id))))
    const found = await routes.lookUp('t')

    const picked = Array.from({ length: 100 }, (_, group) => {
      const [first, again] = [1, 2].map(() => routes.pick(found, `group ${group}`, undefined).id)
      assert.equal(first, again)
      return first
    })

    assert.deepEqual([...new Set(picked)].sort(), [0, 1, 2, 3])
  })

  test('lead a message away from the broker of a failed attempt where there is another', async () => {
    const routes = routesOf(route(queue('a', 0), queue('b', 0)))
    const found = await routes.lookUp('t')

    const brokers = Array.from({ length: 10 }, () => routes.pick(found, undefined, 'a').broker)

    assert.deepEqual(new Set(brokers), new Set(['b']))
  })

  test('lead a message to its only broker even after it failed there', async () => {
    const routes = routesOf(route(queue('a', 0)))

    assert.equal(routes.pick(await routes.lookUp('t'), undefined, 'a').broker, 'a')
  })
})
