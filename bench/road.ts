import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import type { Bench, Benchmark } from './benchmark.js'
import { Child } from './child.js'
import { auditRowsOf, KAFKA_ADAPTER } from './database.js'
import { Measured } from './measure.js'
import { machineCpu, serverCpu } from './server-cpu.js'
import { createTopic, messagesIn } from './topics.js'

const MAX_IN_FLIGHT = 128
const JOBS = 20_000
const RAW_MESSAGES = 50_000
const SHARED_JOBS = 3_000
const HEAP_JOBS = 200_000

const RoadMeasured = Type.Object({
  ...Measured.properties,
  p50Ms: Type.Number(),
  p99Ms: Type.Number(),
  heapMiB: Type.Number(),
})

const PARTS = {
  'road.kafka': { bytes: 400, keyed: false, heap: true },
  'road.kafka1k': { bytes: 1024, keyed: false, heap: false },
  'road.kafkaKeyed': { bytes: 400, keyed: true, heap: false },
}
type Part = keyof typeof PARTS

/**
 * The road without the engine: jobs from memory through publish and record to Kafka and Postgres, 128 in flight,
 * acks all, durable before completion. Beside it raw kafkajs with 500 messages a send, once with the same records (their
 * headers, idempotent) and once with values alone, and a shared producer with one awaited send and one INSERT a job.
 */
export const road: Benchmark = {
  parts: Object.keys(PARTS),
  async run(parts, bench) {
    for (const part of parts) if (isPart(part)) await runPart(part, bench)
  },
}

function isPart(name: string): name is Part {
  return name in PARTS
}

async function runPart(part: Part, bench: Bench): Promise<void> {
  const { bytes, keyed, heap } = PARTS[part]
  const { bootstrapServers } = bench.servers.kafka
  const { databaseUrl } = bench
  const relayTopic = `bench-road-${randomUUID()}`
  await createTopic(bootstrapServers, relayTopic)
  const topic = () => createTopic(bootstrapServers, `bench-road-${randomUUID()}`)
  const common = { databaseUrl, bootstrapServers, bytes, keyed, maxInFlight: MAX_IN_FLIGHT }
  const children = await Promise.all([
    Child.start('road-relay', {
      ...common,
      taskType: 'Kafka Producer',
      topic: relayTopic,
      adapter: KAFKA_ADAPTER,
    }),
    Child.start('road-raw', { ...common, topic: await topic() }),
    Child.start('road-shared', { ...common, topic: await topic() }),
  ])
  const [relay, raw, oneByOne] = children
  const cpu = await serverCpu(bench.servers)
  try {
    let heapBefore = 0
    let handled = 0
    for (let round = 0; round <= bench.rounds; round += 1) {
      bench.progress(`${part} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
      const rawRun = await raw.ask({ jobs: RAW_MESSAGES, plain: false }, Measured)
      const plainRun = await raw.ask({ jobs: RAW_MESSAGES, plain: true }, Measured)
      const before = { servers: await cpu(), machine: machineCpu() }
      const run = await relay.ask({ jobs: JOBS }, RoadMeasured)
      const after = { servers: await cpu(), machine: machineCpu() }
      const oneByOneRun = await oneByOne.ask({ jobs: SHARED_JOBS }, Measured)
      if (round === 0) {
        heapBefore = run.heapMiB
        continue
      }
      handled += JOBS
      const perSecond = JOBS / run.seconds
      const rawPerSecond = RAW_MESSAGES / rawRun.seconds
      const sharedPerSecond = SHARED_JOBS / oneByOneRun.seconds
      bench.figure(`${part}.jobsPerSecond`, perSecond)
      bench.figure(`${part}.rawMessagesPerSecond`, rawPerSecond)
      bench.figure(`${part}.sharedJobsPerSecond`, sharedPerSecond)
      bench.figure(`${part}.ratioToRaw`, perSecond / rawPerSecond)
      bench.figure(`${part}.plainMessagesPerSecond`, RAW_MESSAGES / plainRun.seconds)
      bench.figure(`${part}.ratioToPlain`, (perSecond * plainRun.seconds) / RAW_MESSAGES)
      bench.figure(`${part}.ratioToShared`, perSecond / sharedPerSecond)
      bench.figure(`${part}.p50Ms`, run.p50Ms)
      bench.figure(`${part}.p99Ms`, run.p99Ms)
      bench.figure(`${part}.cpuMicrosPerJob`, run.cpuMicros / JOBS)
      bench.figure(`${part}.sharedCpuMicrosPerJob`, oneByOneRun.cpuMicros / SHARED_JOBS)
      for (const server of ['kafka', 'postgres'] as const) {
        const seconds = (after.servers[server] ?? Number.NaN) - (before.servers[server] ?? Number.NaN)
        if (!Number.isNaN(seconds)) bench.figure(`${part}.${server}CpuMicrosPerJob`, (seconds * 1e6) / JOBS)
      }
      bench.figure(`${part}.busyCores`, (after.machine - before.machine) / run.seconds)
    }
    if (heap) {
      bench.progress(`${part} heap over ${HEAP_JOBS} jobs`)
      const rest = Math.max(1, HEAP_JOBS - handled)
      const { heapMiB } = await relay.ask({ jobs: rest }, RoadMeasured)
      bench.figure(`${part}.heapGrowthMiB`, heapMiB - heapBefore)
      handled += rest
    }
    await checkArrived(bench, relayTopic, JOBS + handled)
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

/** A figure counts only if each job left exactly one message and one audit row. */
async function checkArrived(bench: Bench, topic: string, jobs: number): Promise<void> {
  const messages = await messagesIn(bench.servers.kafka.bootstrapServers, topic)
  const rows = await auditRowsOf(bench.databaseUrl, topic)
  if (messages === jobs && rows === jobs) return
  throw new Error(`${jobs} jobs were completed, but ${messages} messages and ${rows} audit rows are there`)
}
