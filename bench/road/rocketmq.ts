import type { Static } from 'typebox'
import type { Bench, Benchmark } from '../benchmark.js'
import { Child } from '../child.js'
import { ROCKETMQ_ADAPTER, ROCKETMQ_GRPC_ADAPTER } from '../database.js'
import { type RocketmqRawLoad, Sent } from '../loads.js'
import { createRocketmqTopics, deleteRocketmqTopics, messagesInRocketmq } from '../rocketmq-topics.js'
import { addCpuFigures, cpuDuring, serverCpu } from '../server-cpu.js'
import { type Destination, perSecond, type Road, withRoad } from './children.js'

const IN_FLIGHT = 128
const QUEUES = 4

type Protocol = 'remoting' | 'grpc'
type RawLoad = Static<typeof RocketmqRawLoad>

const PARTS = {
  'road.rocketmq': { protocol: 'remoting', bytes: 400, jobs: 20_000, rawMessages: 20_000 },
  'road.rocketmq1k': { protocol: 'remoting', bytes: 1024, jobs: 20_000, rawMessages: 20_000 },
  'road.rocketmqGrpc': { protocol: 'grpc', bytes: 400, jobs: 10_000, rawMessages: 5_000 },
} as const
type Part = keyof typeof PARTS

const ADAPTERS = { remoting: ROCKETMQ_ADAPTER, grpc: ROCKETMQ_GRPC_ADAPTER }

/**
 * The road without the engine to RocketMQ, 128 jobs in flight, durable before completion; beside it the producer of the
 * client library of the same protocol, 128 sends in flight, with the same bodies and properties.
 */
export const roadRocketmq: Benchmark = {
  parts: Object.keys(PARTS),
  async run(parts, bench) {
    for (const part of parts) {
      if (!isPart(part)) continue
      await withRoad(rocketmq(PARTS[part].protocol, bench), bench, IN_FLIGHT, (road) =>
        runPart(part, road, bench),
      )
    }
  },
}

function isPart(name: string): name is Part {
  return name in PARTS
}

/** Beside bpmn-relay goes ali-ons over remoting, rocketmq-client-nodejs over gRPC. */
function rocketmq(protocol: Protocol, { servers }: Bench): Destination<RawLoad> {
  const { nameServer, proxyEndpoint } = servers.rocketmq
  return {
    taskType: 'RocketMQ Producer',
    async startRaw() {
      const child = await (protocol === 'remoting'
        ? Child.start('road-raw-ali-ons', { address: nameServer })
        : Child.start('road-raw-rocketmq-grpc', { address: proxyEndpoint }))
      return { send: (load) => child.ask(load, Sent), stop: () => child.stop() }
    },
    createTopics: (names, queues) => createRocketmqTopics(nameServer, names, queues),
    deleteTopics: (names) => deleteRocketmqTopics(nameServer, names),
    messagesIn: (names) => messagesInRocketmq(nameServer, names),
  }
}

async function runPart(part: Part, road: Road<RawLoad>, bench: Bench): Promise<void> {
  const { protocol, bytes, jobs, rawMessages } = PARTS[part]
  const topics = await road.newTopics(1, QUEUES)
  const cpu = await serverCpu(bench.servers)
  for (let round = 0; round <= bench.rounds; round += 1) {
    bench.progress(`${part} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
    const raw = await road.raw({
      topics: topics.raw,
      bytes,
      sends: IN_FLIGHT,
      limit: { messages: rawMessages },
    })
    const { result: run, used } = await cpuDuring(cpu, () =>
      road.relay({
        topics: topics.relay,
        bytes,
        keyed: false,
        adapters: [ADAPTERS[protocol]],
        inFlight: IN_FLIGHT,
        limit: { messages: jobs },
      }),
    )
    if (round === 0) continue
    addFigures(part, run, raw, bench)
    addCpuFigures(part, used, ['rocketmq', 'postgres'], { jobs, seconds: run.seconds }, bench.figure)
  }
  await road.checkArrived(topics, jobs * (bench.rounds + 1))
}

function addFigures(part: Part, run: Static<typeof Sent>, raw: Static<typeof Sent>, { figure }: Bench): void {
  figure(`${part}.jobsPerSecond`, perSecond(run))
  figure(`${part}.rawMessagesPerSecond`, perSecond(raw))
  figure(`${part}.ratioToRaw`, perSecond(run) / perSecond(raw))
  figure(`${part}.p50Ms`, run.p50Ms)
  figure(`${part}.p99Ms`, run.p99Ms)
  if (run.requests > 0) figure(`${part}.messagesPerRequest`, run.messages / run.requests)
  figure(`${part}.cpuMicrosPerJob`, run.cpuMicros / run.messages)
  figure(`${part}.rawCpuMicrosPerMessage`, raw.cpuMicros / raw.messages)
}
