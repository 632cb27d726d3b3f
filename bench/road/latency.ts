import type { Benchmark, Table } from '../benchmark.js'
import { KAFKA_ADAPTER } from '../database.js'
import { withRoad } from './children.js'
import { kafka } from './kafka.js'

const PART = 'road.kafka.latency'
const BYTES = 1024
const PARTITIONS = 3
const MESSAGES = 400

/**
 * One job at a time, from its activation until it may be completed, beside one awaited kafkajs send at a time: what
 * look-up, record and the rest of the road add to the broker's own latency.
 */
export const roadLatency: Benchmark = {
  parts: [PART],
  tables: [latencyTable()],
  async run(_parts, bench) {
    await withRoad(kafka(bench), bench, 1, async (road) => {
      const topics = await road.newTopics(1, PARTITIONS)
      const common = { bytes: BYTES, keyed: false, limit: { messages: MESSAGES } }
      const single = { ...common, topics: topics.raw, compression: 'none', perSend: 1, sends: 1 } as const
      for (let round = 0; round <= bench.rounds; round += 1) {
        bench.progress(`${PART} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
        const raw = await road.raw({ ...single, isPlain: false })
        const run = await road.relay({
          ...common,
          topics: topics.relay,
          adapters: [KAFKA_ADAPTER],
          inFlight: 1,
        })
        const plain = await road.raw({ ...single, isPlain: true })
        if (round === 0) continue
        bench.figure(`${PART}AboveBrokerMs`, run.p50Ms - raw.p50Ms)
        bench.figure(`${PART}.p99AboveBrokerMs`, run.p99Ms - raw.p99Ms)
        for (const [name, { p50Ms, p99Ms }] of [
          ['', run],
          ['.raw', raw],
          ['.plain', plain],
        ] as const) {
          bench.figure(`${PART}${name}.p50Ms`, p50Ms)
          bench.figure(`${PART}${name}.p99Ms`, p99Ms)
        }
      }
      await road.checkArrived(topics, MESSAGES * (bench.rounds + 1))
    })
  },
}

function latencyTable(): Table {
  return {
    title: 'Kafka, latency of messages of 1KB, one in flight',
    rows: [
      { part: PART, label: 'bpmn-relay' },
      { part: `${PART}.raw`, label: 'kafkajs, same records' },
      { part: `${PART}.plain`, label: 'kafkajs, values alone' },
    ],
    columns: [
      { figure: 'p50Ms', heading: 'p50, ms' },
      { figure: 'p99Ms', heading: 'p99, ms' },
    ],
  }
}
