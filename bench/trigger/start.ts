import { randomBytes } from 'node:crypto'
import { Type } from 'typebox'
import type { Bench, Benchmark } from '../benchmark.js'
import { Child } from '../child.js'
import { emptyRecords } from '../database.js'
import { noTaskProcess } from '../process.js'
import { addCpuFigures, cpuDuring, serverCpu } from '../server-cpu.js'
import { createTopic, deleteTopics } from '../topics.js'
import { BYTES, startTrigger } from './triggers.js'

const PART = 'trigger.start'
const INSTANCES = 3000
/** As many as the client alone has, see `engine-load`. */
const CONCURRENCY = 64

/** A trigger that starts a process of no tasks, beside zeebe-node that creates its instances, as many at a time. */
export const triggerStart: Benchmark = {
  parts: [PART],
  async run(_parts, bench) {
    const { servers, databaseUrl } = bench
    const id = `bench-start-${randomBytes(4).toString('hex')}`
    const topic = await createTopic(servers.kafka.bootstrapServers, id)
    const bare = await Child.start('engine-load', { address: servers.zeebe.address, bytes: BYTES })
    try {
      await bare.ask({ deploy: [{ name: `${id}.bpmn`, xml: noTaskProcess(id) }] }, Type.Unknown())
      const action = { kind: 'start', processId: id, version: null } as const
      const trigger = await startTrigger(bench, topic, async () => action, CONCURRENCY)
      try {
        await runRounds(bench, {
          fill: () => trigger.fill(topic, INSTANCES),
          consume: () => trigger.consume(INSTANCES),
          create: async () => {
            const startedAt = performance.now()
            await bare.ask({ processId: id, count: INSTANCES, perSecond: 0 }, Type.Unknown())
            return (performance.now() - startedAt) / 1000
          },
        })
      } finally {
        await trigger.stop()
      }
    } finally {
      await bare.stop()
      await deleteTopics(servers.kafka.bootstrapServers, [topic])
      await emptyRecords(databaseUrl)
    }
  },
}

interface Runs {
  fill(): Promise<void>
  consume(): Promise<{ seconds: number; cpuMicros: number }>
  /** @returns seconds */
  create(): Promise<number>
}

async function runRounds({ servers, rounds, progress, figure }: Bench, runs: Runs): Promise<void> {
  const cpu = await serverCpu(servers)
  for (let round = 0; round <= rounds; round += 1) {
    progress(`${PART} ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`)
    await runs.fill()
    // Who goes first changes, so that what the other leaves behind meets both.
    const bareFirst = round % 2 === 0 ? await runs.create() : undefined
    const { result: run, used } = await cpuDuring(cpu, runs.consume)
    const bareSeconds = bareFirst ?? (await runs.create())
    if (round === 0) continue
    figure(`${PART}.messagesPerSecond`, INSTANCES / run.seconds)
    figure(`${PART}.bareInstancesPerSecond`, INSTANCES / bareSeconds)
    figure(`${PART}.ratio`, bareSeconds / run.seconds)
    figure(`${PART}.cpuMicrosPerMessage`, run.cpuMicros / INSTANCES)
    addCpuFigures(
      PART,
      used,
      ['zeebe', 'kafka', 'postgres'],
      { jobs: INSTANCES, seconds: run.seconds },
      figure,
    )
  }
}
