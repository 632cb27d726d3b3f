import type { Static } from 'typebox'
import type { Bench, Benchmark, Table } from '../benchmark.js'
import { createAdapters } from '../database.js'
import type { Sent } from '../loads.js'
import { perSecond, type RoadTopics, withRoad } from './children.js'
import { type KafkaRoad, kafka, rawPerSend } from './kafka.js'

const IN_FLIGHT = 128
const BYTES = 1024
const RUN_MS = 700
const WARM_UP_MS = 1500
const NO_LIMIT = 1_000_000

/** Where the messages of one run go; the first of a group is what the others are measured by. */
interface Way {
  part: string
  label: string
  adapters: number
  topics: number
  partitions: number
  keyed: boolean
  inFlight: number
}

const ONE = { adapters: 1, topics: 1, partitions: 3, keyed: false, inFlight: IN_FLIGHT }

const ADAPTERS: Way[] = [1, 10, 100].map((adapters) => ({
  ...ONE,
  part: `road.kafka.adapters${adapters}`,
  label: String(adapters),
  adapters,
}))

const PARTITIONS: Way[] = [IN_FLIGHT, 1024].flatMap((inFlight) =>
  [
    { topics: 1, partitions: 1 },
    { topics: 1, partitions: 100 },
    { topics: 100, partitions: 3 },
  ].map(({ topics, partitions }) => ({
    ...ONE,
    part: `road.kafka.topics${topics}x${partitions}.inFlight${inFlight}`,
    label: `${topics} × ${partitions}, ${inFlight} in flight`,
    topics,
    partitions,
    keyed: true,
    inFlight,
  })),
)

/** One adapter beside 10 and 100 adapters, whose settings differ, so that each has a connection of its own. */
export const roadAdapters = benchmarkOf([ADAPTERS], 'ratioToOneAdapter', {
  title: 'Kafka, messages of 1KB in turns over adapter models, 128 in flight',
  heading: '÷ one adapter',
})

/** One partition beside many partitions of one topic and many topics; each message has a key of its own. */
export const roadPartitions = benchmarkOf(
  [PARTITIONS.slice(0, 3), PARTITIONS.slice(3)],
  'ratioToOnePartition',
  {
    title: 'Kafka, keyed messages of 1KB over topics × partitions',
    heading: '÷ one partition',
  },
)

function benchmarkOf(
  groups: Way[][],
  ratio: string,
  { title, heading }: { title: string; heading: string },
): Benchmark {
  const rows = groups.flat()
  const table: Table = {
    title,
    rows: rows.map(({ part, label }) => ({ part, label })),
    columns: [
      { figure: 'jobsPerSecond', heading: 'jobs/s' },
      { figure: ratio, heading },
      { figure: 'ratioToRaw', heading: '÷ raw' },
      { figure: 'p50Ms', heading: 'p50, ms' },
      { figure: 'p99Ms', heading: 'p99, ms' },
      { figure: 'messagesPerRequest', heading: 'msgs/request' },
      { figure: 'rawMessagesPerRequest', heading: 'raw msgs/request' },
      { figure: 'cpuMicrosPerJob', heading: 'CPU, µs/job' },
    ],
  }
  return {
    parts: rows.map(({ part }) => part),
    tables: [table],
    async run(parts, bench) {
      const adapters = await manyAdapters(bench, Math.max(...rows.map((way) => way.adapters)))
      for (const group of groups) {
        if (!group.some(({ part }) => parts.includes(part))) continue
        const ways = group.filter(({ part }, index) => index === 0 || parts.includes(part))
        const maxInFlight = Math.max(...ways.map(({ inFlight }) => inFlight))
        await withRoad(kafka(bench), bench, maxInFlight, (road) =>
          runGroup(ways, ratio, adapters, road, bench),
        )
      }
    },
  }
}

/** Adapter models with a connection each: what has the same settings would share one. */
async function manyAdapters(bench: Bench, count: number): Promise<string[]> {
  const { bootstrapServers: address } = bench.servers.kafka
  const names = Array.from({ length: count }, (_, index) => `bench-kafka-${index + 1}`)
  await createAdapters(
    bench.databaseUrl,
    names.map((name) => ({ name, kind: 'kafka', address, settings: { clientId: name } })),
  )
  return names
}

async function runGroup(
  ways: Way[],
  ratio: string,
  adapters: string[],
  road: KafkaRoad,
  bench: Bench,
): Promise<void> {
  const running: { way: Way; topics: RoadTopics; handled: number }[] = []
  for (const way of ways)
    running.push({ way, topics: await road.newTopics(way.topics, way.partitions), handled: 0 })
  for (let round = 0; round <= bench.rounds; round += 1) {
    let one: number | undefined
    for (const turn of running) {
      const { way, topics } = turn
      bench.progress(`${way.part} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
      const { raw, run } = await measure(way, topics, adapters, round === 0 ? WARM_UP_MS : RUN_MS, road)
      turn.handled += run.messages
      if (round === 0) continue
      one ??= perSecond(run)
      addFigures(way.part, run, raw, bench)
      bench.figure(`${way.part}.${ratio}`, perSecond(run) / one)
    }
  }
  for (const { topics, handled } of running) await road.checkArrived(topics, handled)
}

async function measure(way: Way, topics: RoadTopics, adapters: string[], ms: number, road: KafkaRoad) {
  const common = { bytes: BYTES, keyed: way.keyed, limit: { messages: NO_LIMIT, ms } }
  const raw = await road.raw({
    ...common,
    topics: topics.raw,
    compression: 'none',
    isPlain: false,
    perSend: rawPerSend(BYTES, way.partitions),
    sends: 1,
  })
  const run = await road.relay({
    ...common,
    topics: topics.relay,
    adapters: adapters.slice(0, way.adapters),
    inFlight: way.inFlight,
  })
  return { raw, run }
}

function addFigures(part: string, run: Static<typeof Sent>, raw: Static<typeof Sent>, { figure }: Bench) {
  figure(`${part}.jobsPerSecond`, perSecond(run))
  figure(`${part}.ratioToRaw`, perSecond(run) / perSecond(raw))
  figure(`${part}.p50Ms`, run.p50Ms)
  figure(`${part}.p99Ms`, run.p99Ms)
  figure(`${part}.messagesPerRequest`, run.messages / run.requests)
  figure(`${part}.rawMessagesPerRequest`, raw.messages / raw.requests)
  figure(`${part}.cpuMicrosPerJob`, run.cpuMicros / run.messages)
}
