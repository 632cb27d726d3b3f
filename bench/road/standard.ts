import type { Static } from 'typebox'
import type { Bench, Benchmark } from '../benchmark.js'
import { Child } from '../child.js'
import { KAFKA_ADAPTER } from '../database.js'
import { Sent } from '../loads.js'
import { addCpuFigures, cpuDuring, serverCpu } from '../server-cpu.js'
import { perSecond, withRoad } from './children.js'
import { type KafkaRoad, kafka, rawPerSend } from './kafka.js'

const IN_FLIGHT = 128
const PARTITIONS = 3
const JOBS = 20_000
const RAW_MESSAGES = 50_000
const SHARED_JOBS = 3_000
const HEAP_JOBS = 200_000

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
export const standardRoad: Benchmark = {
  parts: Object.keys(PARTS),
  async run(parts, bench) {
    for (const part of parts) {
      if (!isPart(part)) continue
      await withRoad(kafka(bench), bench, IN_FLIGHT, (road) => runPart(part, road, bench))
    }
  },
}

function isPart(name: string): name is Part {
  return name in PARTS
}

async function runPart(part: Part, road: KafkaRoad, bench: Bench): Promise<void> {
  const { bytes, keyed, heap } = PARTS[part]
  const { databaseUrl } = bench
  const { bootstrapServers } = bench.servers.kafka
  const topics = await road.newTopics(1, PARTITIONS)
  const shared = await Child.start('road-shared', { databaseUrl, bootstrapServers })
  const cpu = await serverCpu(bench.servers)

  const common = { bytes, keyed }
  const publish = (messages: number) =>
    road.relay({
      ...common,
      topics: topics.relay,
      adapters: [KAFKA_ADAPTER],
      inFlight: IN_FLIGHT,
      limit: { messages },
    })
  const sendRaw = (isPlain: boolean) =>
    road.raw({
      ...common,
      topics: topics.raw,
      compression: 'none',
      isPlain,
      perSend: rawPerSend(bytes, PARTITIONS),
      sends: 1,
      limit: { messages: RAW_MESSAGES },
    })

  try {
    let heapBefore = 0
    let handled = 0
    for (let round = 0; round <= bench.rounds; round += 1) {
      bench.progress(`${part} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
      const raw = await sendRaw(false)
      const plain = await sendRaw(true)
      const { result: run, used } = await cpuDuring(cpu, () => publish(JOBS))
      const load = {
        ...common,
        topics: topics.raw,
        inFlight: IN_FLIGHT,
        limit: { messages: SHARED_JOBS },
      }
      const oneByOne = await shared.ask(load, Sent)
      handled += JOBS
      if (round === 0) {
        heapBefore = heap ? await road.relayHeapMiB() : 0
        continue
      }
      addFigures(part, { run, raw, plain, oneByOne }, bench)
      addCpuFigures(part, used, ['kafka', 'postgres'], { jobs: JOBS, seconds: run.seconds }, bench.figure)
    }
    if (heap) {
      bench.progress(`${part} heap over ${HEAP_JOBS} jobs`)
      const rest = Math.max(1, HEAP_JOBS - handled)
      await publish(rest)
      bench.figure(`${part}.heapGrowthMiB`, (await road.relayHeapMiB()) - heapBefore)
      handled += rest
    }
    await road.checkArrived(topics, handled)
  } finally {
    await shared.stop()
  }
}

function addFigures(
  part: Part,
  { run, raw, plain, oneByOne }: Record<'run' | 'raw' | 'plain' | 'oneByOne', Static<typeof Sent>>,
  { figure }: Bench,
): void {
  figure(`${part}.jobsPerSecond`, perSecond(run))
  figure(`${part}.rawMessagesPerSecond`, perSecond(raw))
  figure(`${part}.plainMessagesPerSecond`, perSecond(plain))
  figure(`${part}.sharedJobsPerSecond`, perSecond(oneByOne))
  figure(`${part}.ratioToRaw`, perSecond(run) / perSecond(raw))
  figure(`${part}.ratioToPlain`, perSecond(run) / perSecond(plain))
  figure(`${part}.ratioToShared`, perSecond(run) / perSecond(oneByOne))
  figure(`${part}.p50Ms`, run.p50Ms)
  figure(`${part}.p99Ms`, run.p99Ms)
  figure(`${part}.messagesPerRequest`, run.messages / run.requests)
  figure(`${part}.cpuMicrosPerJob`, run.cpuMicros / run.messages)
  figure(`${part}.sharedCpuMicrosPerJob`, oneByOne.cpuMicros / oneByOne.messages)
}
