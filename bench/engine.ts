import { randomBytes } from 'node:crypto'
import { Type } from 'typebox'
import { type Bench, type Benchmark, quantile } from './benchmark.js'
import { Child } from './child.js'
import { KAFKA_ADAPTER, ROCKETMQ_ADAPTER } from './database.js'
import { Measured } from './measure.js'
import { oneTaskProcess } from './process.js'
import { addCpuFigures, cpuDuring, serverCpu } from './server-cpu.js'
import { createTopic } from './topics.js'

const BYTES = 400
/** Started before a worker is let go, so that the engine has nothing else to do while it drains them. */
const BACKLOG = 2000
const NAIVE_BACKLOG = 300
/** A backlog's latency is queue time: create→complete is measured at a rate that every variant can hold. */
const STEADY_PER_SECOND = 50
const STEADY_SECONDS = 8

const Keyed = Type.Array(Type.Tuple([Type.String(), Type.Number()]))
const Drained = Type.Object({ ...Measured.properties, completed: Keyed })

interface Variant {
  name: 'bare' | 'kafka' | 'rocketmq' | 'naive'
  worker: 'engine-bare' | 'engine-relay' | 'engine-naive'
  adapter: string
  backlog: number
}

const VARIANTS: readonly Variant[] = [
  { name: 'bare', worker: 'engine-bare', adapter: KAFKA_ADAPTER, backlog: BACKLOG },
  { name: 'kafka', worker: 'engine-relay', adapter: KAFKA_ADAPTER, backlog: BACKLOG },
  { name: 'rocketmq', worker: 'engine-relay', adapter: ROCKETMQ_ADAPTER, backlog: BACKLOG },
  { name: 'naive', worker: 'engine-naive', adapter: KAFKA_ADAPTER, backlog: NAIVE_BACKLOG },
]

/** A variant with its process deployed and its worker waiting. */
interface Running extends Variant {
  child: Child
  processId: string
}

/**
 * On one warm Zeebe: the same one-task process for a bare worker, for bpmn-relay with audit on, and for the worker
 * users write today. Each drains a backlog, then serves a steady load.
 */
export const engine: Benchmark = {
  parts: VARIANTS.map(({ name }) => `engine.${name}`),
  async run(parts, bench) {
    // The bare worker always takes part: the others are measured by it.
    const chosen = VARIANTS.filter(({ name }) => name === 'bare' || parts.includes(`engine.${name}`))
    const load = await Child.start('engine-load', { address: bench.servers.zeebe.address, bytes: BYTES })
    const running: Running[] = []
    try {
      for (const variant of chosen) running.push(await start(variant, load, bench))
      for (let round = 0; round <= bench.rounds; round += 1) await playRound(running, load, round, bench)
    } finally {
      await Promise.all([load, ...running.map(({ child }) => child)].map((child) => child.stop()))
    }
  },
}

async function start(variant: Variant, load: Child, bench: Bench): Promise<Running> {
  const { servers, databaseUrl } = bench
  const id = `bench-${variant.name}-${randomBytes(4).toString('hex')}`
  const topic = variant.name === 'rocketmq' ? id : await createTopic(servers.kafka.bootstrapServers, id)
  const xml = oneTaskProcess({ id, taskType: id, adapter: variant.adapter, topic })
  await load.ask({ deploy: [{ name: `${id}.bpmn`, xml }] }, Type.Unknown())
  const child = await Child.start(variant.worker, {
    address: servers.zeebe.address,
    databaseUrl,
    bootstrapServers: servers.kafka.bootstrapServers,
    taskType: id,
    kind: variant.name === 'rocketmq' ? 'rocketmq' : 'kafka',
  })
  return { ...variant, child, processId: id }
}

async function playRound(running: Running[], load: Child, round: number, bench: Bench): Promise<void> {
  const isWarmUp = round === 0
  const figure = isWarmUp ? () => {} : bench.figure
  let bare: { perSecond: number; cpuMicros: number; p50: number } | undefined
  for (const variant of running) {
    const name = `engine.${variant.name}`
    bench.progress(`${name} ${isWarmUp ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
    const drained = await drain(variant, load, bench, figure)
    const steady = await serveSteadily(variant, load)
    figure(`${name}.p50Ms`, steady.p50)
    figure(`${name}.p99Ms`, steady.p99)
    bare ??= { ...drained, ...steady }
    if (variant.name === 'bare') continue
    figure(`${name}.ratio`, drained.perSecond / bare.perSecond)
    figure(`${name}.cpuMicrosAboveBare`, drained.cpuMicros - bare.cpuMicros)
    figure(`${name}.p50MsAboveBare`, steady.p50 - bare.p50)
  }
}

async function drain(
  { name, backlog, child, processId }: Running,
  load: Child,
  bench: Bench,
  figure: Bench['figure'],
): Promise<{ perSecond: number; cpuMicros: number }> {
  await load.ask({ processId, count: backlog, perSecond: 0 }, Keyed)
  const servers = await serverCpu(bench.servers)
  const { result, used } = await cpuDuring(servers, () => child.ask({ jobs: backlog }, Drained))
  const { seconds, cpuMicros } = result
  const perJob = { perSecond: backlog / seconds, cpuMicros: cpuMicros / backlog }
  figure(`engine.${name}.jobsPerSecond`, perJob.perSecond)
  figure(`engine.${name}.cpuMicrosPerJob`, perJob.cpuMicros)
  const run = { jobs: backlog, seconds }
  addCpuFigures(`engine.${name}`, used, ['zeebe', 'kafka', 'rocketmq', 'postgres'], run, figure)
  return perJob
}

async function serveSteadily(
  { child, processId }: Running,
  load: Child,
): Promise<{ p50: number; p99: number }> {
  const count = STEADY_PER_SECOND * STEADY_SECONDS
  const [created, { completed }] = await Promise.all([
    load.ask({ processId, count, perSecond: STEADY_PER_SECOND }, Keyed),
    child.ask({ jobs: count }, Drained),
  ])
  const completedAt = new Map(completed)
  const latencies = created.map(([key, at]) => (completedAt.get(key) ?? Number.NaN) - at)
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
}
