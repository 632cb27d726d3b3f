import type { Static } from 'typebox'
import type { Bench, Benchmark, Table } from '../benchmark.js'
import { createAdapters } from '../database.js'
import type { RawLoad, Sent } from '../loads.js'
import { perSecond, withRoad } from './children.js'
import { type KafkaRoad, kafka, rawPerSend } from './kafka.js'

const IN_FLIGHT = [1, 16, 128, 1024]
const SIZES = { '100B': 100, '1KB': 1024, '100KB': 100 * 1024 } as const
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const PARTITIONS = 3

/** Of one measurement; many of them are short, so that all fit into minutes. */
const RUN_MS = 250
const WARM_UP_MS = 150
/** Bytes after which a measurement begins no more messages, once all slots are in use: disks have an end. */
const RUN_BYTES = 24 * 1024 * 1024

type Size = keyof typeof SIZES
type Compression = (typeof COMPRESSIONS)[number]

interface Cell {
  part: string
  inFlight: number
  size: Size
  compression: Compression
}

const CELLS: Cell[] = sizes().flatMap((size) =>
  COMPRESSIONS.flatMap((compression) =>
    IN_FLIGHT.map((inFlight) => ({
      part: `road.kafka.inFlight${inFlight}.${size}.${compression}`,
      inFlight,
      size,
      compression,
    })),
  ),
)

/**
 * The same road over jobs in flight, message sizes and compressions, acks all. Beside it kafkajs alone with the same
 * size and compression: 500 messages a send, and single sends with as many in flight; each with the same records
 * (headers, idempotent) and plain (values alone, not idempotent).
 */
export const roadMatrix: Benchmark = {
  parts: CELLS.map(({ part }) => part),
  tables: sizes().flatMap(tablesOf),
  async run(parts, bench) {
    const { bootstrapServers: address } = bench.servers.kafka
    await createAdapters(
      bench.databaseUrl,
      COMPRESSIONS.map((compression) => ({
        name: adapterOf(compression),
        kind: 'kafka',
        address,
        settings: { compression },
      })),
    )
    const groups = groupsOf(CELLS.filter(({ part }) => parts.includes(part)))
    for (const [index, cells] of groups.entries()) {
      const name = `matrix, part ${index + 1} of ${groups.length}`
      await withRoad(kafka(bench), bench, Math.max(...IN_FLIGHT), (road) =>
        runGroup(name, cells, road, bench),
      )
    }
  },
}

function sizes(): Size[] {
  return ['100B', '1KB', '100KB']
}

function adapterOf(compression: Compression): string {
  return `bench-kafka-${compression}`
}

/** Cells of one size and compression share topics and the raw sends of 500. */
function groupsOf(cells: Cell[]): Cell[][] {
  const groups = new Map<string, Cell[]>()
  for (const cell of cells) {
    const name = `${cell.size} ${cell.compression}`
    const group = groups.get(name)
    if (group) group.push(cell)
    else groups.set(name, [cell])
  }
  return [...groups.values()]
}

async function runGroup(name: string, cells: Cell[], road: KafkaRoad, bench: Bench): Promise<void> {
  const [first] = cells
  if (!first) return
  const topics = await road.newTopics(1, PARTITIONS)
  const bytes = SIZES[first.size]
  const { compression } = first
  let handled = 0
  for (let round = 0; round <= bench.rounds; round += 1) {
    const isWarmUp = round === 0
    const turn = isWarmUp ? 'warm-up' : `round ${round} of ${bench.rounds}`
    bench.progress(`road.kafka ${name}: ${first.size} ${compression}, ${turn}`)
    const common = { bytes, keyed: false }
    const limitOf = (inFlight: number) => ({
      messages: Math.max(Math.floor(RUN_BYTES / bytes), 2 * inFlight),
      ms: isWarmUp ? WARM_UP_MS : RUN_MS,
    })
    const raw = (how: Pick<Static<typeof RawLoad>, 'perSend' | 'sends' | 'isPlain'>) =>
      road.raw({ ...common, topics: topics.raw, compression, limit: limitOf(how.sends), ...how })

    const perSend = rawPerSend(bytes, PARTITIONS)
    const batches = {
      raw: await raw({ perSend, sends: 1, isPlain: false }),
      plain: await raw({ perSend, sends: 1, isPlain: true }),
    }
    for (const { part, inFlight } of cells) {
      const run = await road.relay({
        ...common,
        topics: topics.relay,
        adapters: [adapterOf(compression)],
        inFlight,
        limit: limitOf(inFlight),
      })
      const singles = {
        raw: await raw({ perSend: 1, sends: inFlight, isPlain: false }),
        plain: await raw({ perSend: 1, sends: inFlight, isPlain: true }),
      }
      handled += run.messages
      if (!isWarmUp) addFigures(part, run, batches, singles, bench)
    }
  }
  await road.checkArrived(topics, handled)
}

type Raw = Record<'raw' | 'plain', Static<typeof Sent>>

function addFigures(
  part: string,
  run: Static<typeof Sent>,
  batches: Raw,
  singles: Raw,
  { figure }: Bench,
): void {
  figure(`${part}.jobsPerSecond`, perSecond(run))
  figure(`${part}.ratioToRaw`, perSecond(run) / perSecond(batches.raw))
  figure(`${part}.ratioToPlain`, perSecond(run) / perSecond(batches.plain))
  figure(`${part}.ratioToRawSingle`, perSecond(run) / perSecond(singles.raw))
  figure(`${part}.ratioToPlainSingle`, perSecond(run) / perSecond(singles.plain))
  figure(`${part}.p50Ms`, run.p50Ms)
  figure(`${part}.p99Ms`, run.p99Ms)
  figure(`${part}.messagesPerRequest`, run.messages / run.requests)
  figure(`${part}.rawMessagesPerSecond`, perSecond(batches.raw))
  figure(`${part}.plainMessagesPerSecond`, perSecond(batches.plain))
  figure(`${part}.rawSinglesPerSecond`, perSecond(singles.raw))
  figure(`${part}.plainSinglesPerSecond`, perSecond(singles.plain))
}

function tablesOf(size: Size): Table[] {
  const rows = CELLS.filter((cell) => cell.size === size).map(({ part, compression, inFlight }) => ({
    part,
    label: `${compression}, ${inFlight}`,
  }))
  return [
    {
      title: `Kafka, messages of ${size}, by compression and jobs in flight: bpmn-relay, and its ratio to kafkajs`,
      rows,
      columns: [
        { figure: 'jobsPerSecond', heading: 'jobs/s' },
        { figure: 'ratioToRaw', heading: '÷ raw' },
        { figure: 'ratioToPlain', heading: '÷ plain' },
        { figure: 'ratioToRawSingle', heading: '÷ raw single' },
        { figure: 'ratioToPlainSingle', heading: '÷ plain single' },
        { figure: 'p50Ms', heading: 'p50, ms' },
        { figure: 'p99Ms', heading: 'p99, ms' },
        { figure: 'messagesPerRequest', heading: 'msgs/request' },
      ],
    },
    {
      title: `Kafka, messages of ${size}, by compression and sends in flight: kafkajs alone`,
      rows,
      columns: [
        { figure: 'rawMessagesPerSecond', heading: 'raw, msgs/s' },
        { figure: 'plainMessagesPerSecond', heading: 'plain, msgs/s' },
        { figure: 'rawSinglesPerSecond', heading: 'raw single, msgs/s' },
        { figure: 'plainSinglesPerSecond', heading: 'plain single, msgs/s' },
      ],
    },
  ]
}
