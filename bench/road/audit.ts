import type { Bench, Benchmark } from '../benchmark.js'
import { createAdapters, KAFKA_ADAPTER } from '../database.js'
import { addCpuFigures, cpuDuring, serverCpu } from '../server-cpu.js'
import { perSecond, withRoad } from './children.js'
import { type KafkaRoad, kafka } from './kafka.js'

const PART = 'road.auditOn'
const UNAUDITED_ADAPTER = 'bench-kafka-unaudited'
const IN_FLIGHT = 128
const PARTITIONS = 3
const BYTES = 400
const JOBS = 50_000

/**
 * What the audit log costs: the road without the engine, through an adapter that is audited and one that is not but equal
 * to it otherwise, on one worker, in turns.
 */
export const roadAudit: Benchmark = {
  parts: [PART],
  async run(_parts, bench) {
    const { databaseUrl, servers } = bench
    await createAdapters(databaseUrl, [
      {
        name: UNAUDITED_ADAPTER,
        kind: 'kafka',
        address: servers.kafka.bootstrapServers,
        auditRequests: false,
      },
    ])
    await withRoad(kafka(bench), bench, IN_FLIGHT, (road) => runRounds(road, bench))
  },
}

async function runRounds(road: KafkaRoad, bench: Bench): Promise<void> {
  const topics = await road.newTopics(1, PARTITIONS)
  const cpu = await serverCpu(bench.servers)
  const publish = async (adapter: string) => {
    const { result, used } = await cpuDuring(cpu, () =>
      road.relay({
        topics: topics.relay,
        bytes: BYTES,
        keyed: false,
        adapters: [adapter],
        inFlight: IN_FLIGHT,
        limit: { messages: JOBS },
      }),
    )
    return { run: result, used }
  }
  for (let round = 0; round <= bench.rounds; round += 1) {
    bench.progress(`${PART} ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
    // Who goes first changes, so that what the other leaves behind meets both.
    const isOnFirst = round % 2 === 0
    const first = await publish(isOnFirst ? KAFKA_ADAPTER : UNAUDITED_ADAPTER)
    const second = await publish(isOnFirst ? UNAUDITED_ADAPTER : KAFKA_ADAPTER)
    if (round === 0) continue
    const [on, off] = isOnFirst ? [first, second] : [second, first]
    bench.figure(`${PART}.ratioToOff`, perSecond(on.run) / perSecond(off.run))
    for (const [name, { run, used }] of [[PART, on] as const, [`${PART}.off`, off] as const]) {
      bench.figure(`${name}.jobsPerSecond`, perSecond(run))
      bench.figure(`${name}.cpuMicrosPerJob`, run.cpuMicros / run.messages)
      addCpuFigures(name, used, ['kafka', 'postgres'], { jobs: JOBS, seconds: run.seconds }, bench.figure)
    }
  }
  const jobs = (1 + bench.rounds) * JOBS
  await road.checkArrived(topics, 2 * jobs, jobs)
}
