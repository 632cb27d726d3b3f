import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { silentLog } from '../../../src/core/log.js'
import type { Job } from '../../../src/engine/engine.js'
import { backOffMs, JobPoller, type PollerOptions } from '../../../src/engine/job-poller.js'
import { jobWith } from '../../helpers/job.js'
import { waitFor } from '../../helpers/wait-for.js'

const LONG_POLL_MS = 40

describe('the jobs in hand', () => {
  it('are never more than the budget, over all types', async (t) => {
    const engine = createEngine(t, { types: ['a', 'b', 'c'], maxInFlight: 40 })
    for (const type of ['a', 'b', 'c']) engine.backlog(type, 500)
    await waitFor('the budget to be used', () => engine.inHand.size === 40)
    await engine.polls(10)
    assert.equal(engine.mostInHand, 40)
  })

  it('may be of one type, but for a few slots, while the other types idle', async (t) => {
    const engine = createEngine(t, { types: ['busy', 'idle'], maxInFlight: 64 })
    engine.backlog('busy', 500)
    await waitFor('the busy type to take the budget', () => engine.inHand.size >= 56)
  })

  it('may be of one type alone while the polls of another fail', async (t) => {
    const engine = createEngine(t, { types: ['down', 'busy'], maxInFlight: 16, failTypes: ['down'] })
    engine.backlog('busy', 500)
    await waitFor('the whole budget to be used', () => engine.inHand.size === 16, 3000)
  })

  for (const maxInFlight of [1, 2, 4, 8, 16]) {
    it(`include those of every type, though ${maxInFlight} slots are less than the types ask for`, async (t) => {
      const engine = createEngine(t, { types: ['idle', 'other', 'third', 'busy'], maxInFlight })
      engine.backlog('busy', 1)
      await waitFor('the job of the last type', () => engine.taken.includes('busy'), 3000)
    })
  }

  it('come from a quiet type too, while another type has more than the worker can do', async (t) => {
    const engine = createEngine(t, { types: ['flood', 'quiet'], maxInFlight: 16, autoFinish: true })
    engine.backlog('flood', 100_000)
    await engine.polls(20)
    engine.backlog('quiet', 1)
    await waitFor('the quiet job', () => engine.taken.includes('quiet'), 3000)
  })

  it('may be more by the extra slots', async (t) => {
    let extra = 0
    const engine = createEngine(t, { types: ['a'], maxInFlight: 16, extraSlots: () => extra })
    engine.backlog('a', 500)
    await waitFor('the budget to be used', () => engine.inHand.size === 16)
    extra = 8
    await waitFor('the extra slots to be used', () => engine.inHand.size === 24)
    await engine.polls(3)
    assert.equal(engine.mostInHand, 24)
  })

  it('come one by one while they trickle, and many at a time again afterwards', async (t) => {
    let trickles = true
    const engine = createEngine(t, { types: ['a'], maxInFlight: 32, trickle: () => trickles })
    engine.backlog('a', 500)
    await waitFor('two jobs', () => engine.taken.length >= 2)
    assert.equal(engine.taken.length, engine.pollCount)
    trickles = false
    await waitFor('most of the budget to be used', () => engine.inHand.size >= 24)
  })

  it('use the whole budget again after polls that failed half-way', async (t) => {
    const engine = createEngine(t, { types: ['a'], maxInFlight: 32, failPolls: 5, beforeFailing: 3 })
    engine.backlog('a', 500)
    await waitFor('the budget to be used', () => engine.inHand.size === 32)
    await engine.polls(2)
    assert.equal(engine.mostInHand, 32)
  })

  it('stay within the budget when jobs come after their poll has failed', async (t) => {
    const engine = createEngine(t, { types: ['a'], maxInFlight: 16, failPolls: 3, lateJobs: 4 })
    await waitFor('the late jobs', () => engine.taken.length === 12)
    for (const job of [...engine.inHand.keys()]) engine.finish(job)
    engine.backlog('a', 500)
    await waitFor('the budget to be used', () => engine.inHand.size >= 16)
    await engine.polls(3)
    assert.equal(engine.inHand.size, 16)
  })

  it('leave their slot also when handling them failed', async (t) => {
    const engine = createEngine(t, {
      types: ['a'],
      maxInFlight: 8,
      handle: () => Promise.reject(new Error('no')),
    })
    engine.backlog('a', 100)
    await waitFor('all jobs', () => engine.taken.length === 100)
    await waitFor('all slots', () => engine.poller.inFlight === 0)
  })
})

describe('polling', () => {
  it('waits for the gate before each poll', async (t) => {
    let open = (): void => undefined
    const shut = new Promise<void>((resolve) => {
      open = resolve
    })
    const engine = createEngine(t, { types: ['a'], maxInFlight: 8, gate: () => shut })
    engine.backlog('a', 1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(engine.pollCount, 0)
    open()
    await waitFor('the job behind the gate', () => engine.taken.length === 1)
  })

  it('goes on after failures', async (t) => {
    const engine = createEngine(t, { types: ['a'], maxInFlight: 8, failPolls: 3 })
    engine.backlog('a', 1)
    await waitFor('the job after the failures', () => engine.taken.length === 1)
  })

  it('backs off after failures: longer each time, with jitter, at most 5 s', () => {
    assert.deepEqual(
      [1, 2, 3].map((failures) => backOffMs(failures, 1)),
      [50, 100, 200],
    )
    assert.equal(backOffMs(3, 0), 100)
    assert.equal(backOffMs(1000, 1), 5000)
  })

  it('tells how long ago the slowest type was last answered', async (t) => {
    const engine = createEngine(t, { types: ['a', 'b'], maxInFlight: 16, failTypes: ['b'] })
    await waitFor('b to be overdue', () => engine.poller.lastPollAgeMs() > 4 * LONG_POLL_MS)
    const healthy = createEngine(t, { types: ['a', 'b'], maxInFlight: 16 })
    await healthy.polls(6)
    assert.ok(healthy.poller.lastPollAgeMs() < 4 * LONG_POLL_MS)
  })
})

describe('stopping', () => {
  it('gives back the jobs that still arrive and waits until they are', async (t) => {
    let givenBack = (): void => undefined
    const engine = createEngine(t, {
      types: ['a'],
      maxInFlight: 8,
      giveBack: () =>
        new Promise((resolve) => {
          givenBack = resolve
        }),
    })
    await engine.polls(1)
    let stopped = false
    const stopping = engine.poller.stop(1000).then((left) => {
      stopped = true
      return left
    })
    engine.backlog('a', 1)
    await waitFor('the job to be given back', () => engine.givenBack.length === 1)
    await waitFor('its polls to be over', () => engine.openPolls === 0)
    await nextTurn()
    assert.equal(stopped, false, 'it did not wait for the give-back')
    givenBack()
    assert.equal(await stopping, 0)
    assert.deepEqual(engine.taken, [])
  })

  it('waits until the jobs in hand are done', async (t) => {
    const engine = createEngine(t, { types: ['a'], maxInFlight: 8 })
    engine.backlog('a', 2)
    await waitFor('both jobs', () => engine.inHand.size === 2)
    const stopping = engine.poller.stop(5000)
    for (const job of [...engine.inHand.keys()]) engine.finish(job)
    assert.equal(await stopping, 0)
  })

  it('tells how many jobs are left when the grace time is over', async (t) => {
    const engine = createEngine(t, { types: ['a'], maxInFlight: 8 })
    engine.backlog('a', 2)
    await waitFor('both jobs', () => engine.inHand.size === 2)
    assert.equal(await engine.poller.stop(10), 2)
  })

  it('does not wait out a back-off, nor a gate', async (t) => {
    const failing = createEngine(t, { types: ['a'], maxInFlight: 8, failPolls: Number.POSITIVE_INFINITY })
    await waitFor('a long back-off', () => failing.pollCount >= 6)
    const gated = createEngine(t, {
      types: ['a'],
      maxInFlight: 8,
      gate: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    })
    const startedAt = performance.now()
    await Promise.all([failing.poller.stop(0), gated.poller.stop(0)])
    assert.ok(performance.now() - startedAt < 500)
  })
})

interface EngineOptions extends Partial<Omit<PollerOptions, 'giveBack'>> {
  types: string[]
  maxInFlight: number
  /** The first polls fail, of all types. */
  failPolls?: number
  /** Polls of these types fail always. */
  failTypes?: string[]
  /** Jobs that a failing poll brings first. */
  beforeFailing?: number
  /** Jobs that a failed poll brings after it has failed. */
  lateJobs?: number
  autoFinish?: boolean
  giveBack?: () => Promise<void>
}

/** A hand-written engine with backlogs and long polls, and a poller at work on it. */
function createEngine(t: TestContext, options: EngineOptions) {
  const backlogs = new Map<string, number>()
  const wakers = new Set<() => void>()
  const inHand = new Map<Job, () => void>()
  const taken: string[] = []
  const givenBack: Job[] = []
  const lateArrivals: (() => void)[] = []
  let pollCount = 0
  let openPolls = 0
  let mostInHand = 0

  const take = (type: string, count: number): Job[] => {
    const there = Math.min(count, backlogs.get(type) ?? 0)
    backlogs.set(type, (backlogs.get(type) ?? 0) - there)
    return Array.from({ length: there }, () => jobWith({ type }))
  }

  const poll: PollerOptions['poll'] = async (...given) => {
    pollCount += 1
    openPolls += 1
    await longPoll(...given).finally(() => {
      openPolls -= 1
    })
  }

  const longPoll: PollerOptions['poll'] = async (type, maxJobs, onJobs) => {
    if (options.failTypes?.includes(type)) throw new Error('down')
    if (pollCount <= (options.failPolls ?? 0)) {
      onJobs(take(type, options.beforeFailing ?? 0))
      const late = Array.from({ length: options.lateJobs ?? 0 }, () => jobWith({ type }))
      if (late.length > 0) lateArrivals.push(() => onJobs(late))
      throw new Error('down')
    }
    const until = performance.now() + LONG_POLL_MS
    for (;;) {
      const jobs = take(type, maxJobs)
      if (jobs.length > 0) return onJobs(jobs)
      const left = until - performance.now()
      if (left <= 0) return
      await new Promise<void>((resolve) => {
        wakers.add(resolve)
        setTimeout(resolve, left)
      })
    }
  }

  const handle = (job: Job): Promise<void> => {
    taken.push(job.type)
    return new Promise((resolve) => {
      inHand.set(job, resolve)
      mostInHand = Math.max(mostInHand, inHand.size)
      if (options.autoFinish) setImmediate(() => finish(job))
    })
  }
  const finish = (job: Job): void => {
    inHand.get(job)?.()
    inHand.delete(job)
  }

  const poller = new JobPoller({
    jobTimeoutMs: 60_000,
    log: silentLog,
    gate: async () => {
      // After its poll has failed and before the next one.
      lateArrivals.shift()?.()
    },
    ...options,
    poll,
    handle: options.handle
      ? (job) => {
          taken.push(job.type)
          return options.handle?.(job) ?? Promise.resolve()
        }
      : handle,
    giveBack: async (job) => {
      givenBack.push(job)
      await options.giveBack?.()
    },
  })
  t.after(() => poller.stop(0))
  return {
    poller,
    inHand,
    taken,
    givenBack,
    finish,
    get pollCount() {
      return pollCount
    },
    get openPolls() {
      return openPolls
    },
    get mostInHand() {
      return mostInHand
    },
    backlog(type: string, count: number) {
      backlogs.set(type, (backlogs.get(type) ?? 0) + count)
      for (const wake of wakers) wake()
      wakers.clear()
    },
    /** Resolves after so many more polls have begun, or none can begin for want of slots. */
    async polls(count: number) {
      const from = pollCount
      const giveUpAt = performance.now() + count * LONG_POLL_MS
      await waitFor('polls', () => pollCount >= from + count || performance.now() > giveUpAt)
    },
  }
}
