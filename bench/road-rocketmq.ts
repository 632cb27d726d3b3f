import { Type } from 'typebox'
import type { Bench, Benchmark } from './benchmark.js'
import { Child } from './child.js'
import { auditRowsOf, ROCKETMQ_ADAPTER, ROCKETMQ_GRPC_ADAPTER } from './database.js'
import { Measured } from './measure.js'
import { createRocketmqTopics, messagesInRocketmq } from './rocketmq-topics.js'
import { machineCpu, serverCpu } from './server-cpu.js'

const MAX_IN_FLIGHT = 128

const RoadMeasured = Type.Object({ ...Measured.properties, p50Ms: Type.Number(), p99Ms: Type.Number() })

const PARTS = {
  'road.rocketmq': { protocol: 'remoting', bytes: 400, jobs: 20_000, rawMessages: 20_000 },
  'road.rocketmq1k': { protocol: 'remoting', bytes: 1024, jobs: 20_000, rawMessages: 20_000 },
  'road.rocketmqGrpc': { protocol: 'grpc', bytes: 400, jobs: 10_000, rawMessages: 5_000 },
} as const
type Part = keyof typeof PARTS

/**
 * The road without the engine to RocketMQ, 128 jobs in flight, durable before completion; beside it the producer of the
 * client library of the same protocol, 128 sends in flight, with the same bodies and properties.
 */
export const roadRocketmq: Benchmark = {
  parts: Object.keys(PARTS),
  async run(parts, bench) {
    for (const part of parts) if (isPart(part)) await runPart(part, bench)
  },
}

function isPart(name: string): name is Part {
  return name in PARTS
}

async function runPart(part: Part, bench: Bench): Promise<void> {
  const { protocol, bytes, jobs, rawMessages } = PARTS[part]
  const { nameServer, proxyEndpoint } = bench.servers.rocketmq
  const [relayTopic = '', rawTopic = ''] = await createRocketmqTopics(nameServer, 2)
  const common = { bytes, maxInFlight: MAX_IN_FLIGHT }
  const isRemoting = protocol === 'remoting'
  const children = await Promise.all([
    Child.start('road-relay', {
      ...common,
      databaseUrl: bench.databaseUrl,
      taskType: 'RocketMQ Producer',
      adapter: isRemoting ? ROCKETMQ_ADAPTER : ROCKETMQ_GRPC_ADAPTER,
      topic: relayTopic,
      keyed: false,
    }),
    Child.start(isRemoting ? 'road-ali-ons' : 'road-rocketmq-grpc', {
      ...common,
      address: isRemoting ? nameServer : proxyEndpoint,
      topic: rawTopic,
    }),
  ])
  const [relay, raw] = children
  const cpu = await serverCpu(bench.servers)
  try {
    for (let round = 0; round <= bench.rounds; round += 1) {
      bench.progress(`${part} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
      const rawRun = await raw.ask({ messages: rawMessages }, Measured)
      const before = { servers: await cpu(), machine: machineCpu() }
      const run = await relay.ask({ jobs }, RoadMeasured)
      const after = { servers: await cpu(), machine: machineCpu() }
      if (round === 0) continue
      const perSecond = jobs / run.seconds
      const rawPerSecond = rawMessages / rawRun.seconds
      bench.figure(`${part}.jobsPerSecond`, perSecond)
      bench.figure(`${part}.rawMessagesPerSecond`, rawPerSecond)
      bench.figure(`${part}.ratioToRaw`, perSecond / rawPerSecond)
      bench.figure(`${part}.p50Ms`, run.p50Ms)
      bench.figure(`${part}.p99Ms`, run.p99Ms)
      bench.figure(`${part}.cpuMicrosPerJob`, run.cpuMicros / jobs)
      bench.figure(`${part}.rawCpuMicrosPerMessage`, rawRun.cpuMicros / rawMessages)
      for (const server of ['rocketmq', 'postgres'] as const) {
        const seconds = (after.servers[server] ?? Number.NaN) - (before.servers[server] ?? Number.NaN)
        if (!Number.isNaN(seconds)) bench.figure(`${part}.${server}CpuMicrosPerJob`, (seconds * 1e6) / jobs)
      }
      bench.figure(`${part}.busyCores`, (after.machine - before.machine) / run.seconds)
    }
    await checkArrived(bench, relayTopic, jobs * (bench.rounds + 1))
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

/** A figure counts only if each job left exactly one message and one audit row. */
async function checkArrived(bench: Bench, topic: string, jobs: number): Promise<void> {
  const messages = await messagesInRocketmq(bench.servers.rocketmq.nameServer, topic)
  const rows = await auditRowsOf(bench.databaseUrl, topic)
  if (messages === jobs && rows === jobs) return
  throw new Error(`${jobs} jobs were completed, but ${messages} messages and ${rows} audit rows are there`)
}
