import { randomBytes } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { pause } from '../src/core/time-limit.js'
import { hangingServer } from '../test/helpers/unwell-servers.js'
import { type Bench, type Benchmark, quantile } from './benchmark.js'
import { Child } from './child.js'
import { createAdapters, KAFKA_ADAPTER } from './database.js'
import { oneTaskProcess } from './process.js'
import { createTopic } from './topics.js'

const PART = 'engine.kafkaHeld'
const HELD = 3000
const BYTES = 400
const CAPACITY_JOBS = 2000
const WARM_UP_JOBS = 500
const MEASURED_SECONDS = 12
/** The shortest back-off of a held job. */
const BACK_OFF_MS = 5000
const HANGING_ADAPTER = 'bench-hanging'

const Keyed = Type.Array(Type.Tuple([Type.String(), Type.Number()]))
const Worked = Type.Object({ completed: Keyed, timesGivenBack: Type.Number() })

/** One worker with its processes: `live` goes through Kafka, `stuck` through the adapter whose broker hangs. */
interface Site {
  load: Child
  worker: Child
  live: string
  stuck: string
}

/**
 * What the jobs of one adapter notice of 3,000 held jobs of another: created at half the rate that the engine can do,
 * once with none held and once with all of them, after their first back-off, on the same worker.
 */
export const held: Benchmark = {
  parts: [PART],
  async run(_parts, bench) {
    const closers: (() => unknown)[] = []
    try {
      const { address } = await hangingServer({ after: (close) => closers.push(close) })
      await createHangingAdapter(bench.databaseUrl, address)
      const load = await Child.start('engine-load', { address: bench.servers.zeebe.address, bytes: BYTES })
      closers.push(() => load.stop())
      bench.progress(`${PART} capacity`)
      const capacity = await onSite(load, bench, measureCapacity)
      const perSecond = Math.floor(capacity / 2)
      bench.figure(`${PART}.capacityPerSecond`, capacity)
      bench.figure(`${PART}.offeredPerSecond`, perSecond)
      for (let round = 1; round <= bench.rounds; round += 1) {
        bench.progress(`${PART} round ${round} of ${bench.rounds}`)
        await onSite(load, bench, (site) => playRound(site, perSecond, bench))
      }
    } finally {
      for (const close of closers.reverse()) await close()
    }
  },
}

async function createHangingAdapter(databaseUrl: string, address: string): Promise<void> {
  const settings = { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 }
  await createAdapters(databaseUrl, [{ name: HANGING_ADAPTER, kind: 'kafka', address, settings }])
}

/** A new worker each time: one that has held jobs before holds the next ones longer. */
async function onSite<T>(load: Child, bench: Bench, act: (site: Site) => Promise<T>): Promise<T> {
  const { servers, databaseUrl } = bench
  const taskType = `bench-held-${randomBytes(4).toString('hex')}`
  const [live, stuck] = [`${taskType}-live`, `${taskType}-stuck`]
  const topic = await createTopic(servers.kafka.bootstrapServers, taskType)
  const deploy = [
    { name: `${live}.bpmn`, xml: oneTaskProcess({ id: live, taskType, adapter: KAFKA_ADAPTER, topic }) },
    { name: `${stuck}.bpmn`, xml: oneTaskProcess({ id: stuck, taskType, adapter: HANGING_ADAPTER, topic }) },
  ]
  await load.ask({ deploy }, Type.Unknown())
  const setup = { address: servers.zeebe.address, databaseUrl, taskType, kind: 'kafka' }
  const worker = await Child.start('engine-held', setup)
  try {
    await offer({ load, worker, live, stuck }, WARM_UP_JOBS, 0)
    return await act({ load, worker, live, stuck })
  } finally {
    await worker.stop()
  }
}

/** Jobs a second where the next are created while the earlier ones are worked on. */
async function measureCapacity(site: Site): Promise<number> {
  const { created, completed } = await offer(site, CAPACITY_JOBS, 0)
  const endedAt = Math.max(...completed.map(([, at]) => at))
  return (CAPACITY_JOBS * 1000) / (endedAt - startOf(created))
}

async function playRound(site: Site, perSecond: number, bench: Bench): Promise<void> {
  const { load, worker, stuck } = site
  const free = await serve(site, perSecond)
  const stuckOnes = await load.ask({ processId: stuck, count: HELD, perSecond: 0 }, Keyed)
  await worker.ask({ givenBack: HELD }, Worked)
  await pause(BACK_OFF_MS)
  const beside = await serve(site, perSecond)
  await load.ask({ cancel: stuckOnes.map(([key]) => key) }, Type.Unknown())

  for (const [name, { jobsPerSecond, p50, p99 }] of Object.entries({ free, beside })) {
    bench.figure(`${PART}.${name}.jobsPerSecond`, jobsPerSecond)
    bench.figure(`${PART}.${name}.p50Ms`, p50)
    bench.figure(`${PART}.${name}.p99Ms`, p99)
  }
  bench.figure(`${PART}.holdsPerSecond`, beside.timesGivenBack / MEASURED_SECONDS)
  bench.figure(`${PART}.ratio`, beside.jobsPerSecond / free.jobsPerSecond)
}

interface Served {
  /** Completed within the time in which they were created. */
  jobsPerSecond: number
  p50: number
  p99: number
  timesGivenBack: number
}

async function serve(site: Site, perSecond: number): Promise<Served> {
  const { created, completed, timesGivenBack } = await offer(site, perSecond * MEASURED_SECONDS, perSecond)
  const end = startOf(created) + MEASURED_SECONDS * 1000
  const completedAt = new Map(completed)
  const latencies = created.map(([key, at]) => (completedAt.get(key) ?? Number.NaN) - at)
  return {
    jobsPerSecond: completed.filter(([, at]) => at <= end).length / MEASURED_SECONDS,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    timesGivenBack,
  }
}

/** Creates live jobs and waits until all are completed. */
async function offer(
  { load, worker, live }: Site,
  count: number,
  perSecond: number,
): Promise<{ created: Static<typeof Keyed> } & Static<typeof Worked>> {
  const [created, worked] = await Promise.all([
    load.ask({ processId: live, count, perSecond }, Keyed),
    worker.ask({ jobs: count }, Worked),
  ])
  return { created, ...worked }
}

function startOf(created: Static<typeof Keyed>): number {
  return Math.min(...created.map(([, at]) => at))
}
