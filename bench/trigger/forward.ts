import { randomUUID } from 'node:crypto'
import type { TriggerAction } from '../../src/trigger/trigger.js'
import type { Bench, Benchmark } from '../benchmark.js'
import { Child } from '../child.js'
import { emptyRecords, KAFKA_ADAPTER, ROCKETMQ_ADAPTER } from '../database.js'
import { Sent } from '../loads.js'
import { Measured } from '../measure.js'
import { createRocketmqTopics, deleteRocketmqTopics, messagesInRocketmq } from '../rocketmq-topics.js'
import { addCpuFigures, cpuDuring, serverCpu } from '../server-cpu.js'
import { createTopics, deleteTopics, messagesIn } from '../topics.js'
import { BYTES, startTrigger, type TriggerRun } from './triggers.js'

const CONCURRENCY = 512
const MESSAGES = 20_000
const QUEUES = 4
const RAW_SENDS = 128
const HEAP_MESSAGES = 500_000
const HEAP_STEP = 50_000

/** A trigger that forwards, beside a client library that does as much: see docs/benchmarks.md. */
export const triggerForward: Benchmark = {
  parts: ['trigger.forward.kafka', 'trigger.forward.rocketmq', 'trigger.forward.heap'],
  async run(parts, bench) {
    for (const part of parts) {
      const toKafka = part !== 'trigger.forward.rocketmq'
      await withTopics(bench, toKafka, async (topics) => {
        const adapter = toKafka ? KAFKA_ADAPTER : ROCKETMQ_ADAPTER
        const action = async (adapterId: (name: string) => Promise<string>): Promise<TriggerAction> => ({
          kind: 'forward',
          adapterId: await adapterId(adapter),
          topic: topics.to,
        })
        const trigger = await startTrigger(bench, topics.from, action, CONCURRENCY)
        try {
          if (part === 'trigger.forward.heap') await measureHeap(part, trigger, topics, bench)
          else await (toKafka ? besideKafkajs : besideAliOns)(part, trigger, topics, bench)
        } finally {
          await trigger.stop()
        }
      })
    }
  },
}

interface Topics {
  from: string
  to: string
  /** What the client library writes. */
  raw: string
  messagesTo(): Promise<number>
}

async function withTopics(
  { servers, databaseUrl }: Bench,
  toKafka: boolean,
  measure: (topics: Topics) => Promise<void>,
): Promise<void> {
  const { bootstrapServers } = servers.kafka
  const { nameServer } = servers.rocketmq
  const names = ['from', 'to', 'raw'].map((what) => `bench-forward-${what}-${randomUUID()}`)
  const [from = '', to = '', raw = ''] = names
  const target = toKafka ? [] : [to, raw]
  const inKafka = toKafka ? [from, to, raw] : [from]
  await createTopics(bootstrapServers, inKafka)
  if (target.length > 0) await createRocketmqTopics(nameServer, target, QUEUES)
  try {
    const messagesTo = () =>
      toKafka ? messagesIn(bootstrapServers, [to]) : messagesInRocketmq(nameServer, [to])
    await measure({ from, to, raw, messagesTo })
  } finally {
    await deleteTopics(bootstrapServers, inKafka)
    if (target.length > 0) await deleteRocketmqTopics(nameServer, target)
    await emptyRecords(databaseUrl)
  }
}

async function besideKafkajs(part: string, trigger: TriggerRun, topics: Topics, bench: Bench): Promise<void> {
  const { from, raw: to } = topics
  const { bootstrapServers } = bench.servers.kafka
  const raw = await Child.start('raw-forward', { bootstrapServers, from, to, group: `bench-${randomUUID()}` })
  try {
    await playRounds(part, trigger, topics, bench, () => raw.ask({ messages: MESSAGES }, Measured))
  } finally {
    await raw.stop()
  }
}

async function besideAliOns(part: string, trigger: TriggerRun, topics: Topics, bench: Bench): Promise<void> {
  const raw = await Child.start('road-raw-ali-ons', { address: bench.servers.rocketmq.nameServer })
  const load = { topics: [topics.raw], bytes: BYTES, sends: RAW_SENDS, limit: { messages: MESSAGES } }
  try {
    await playRounds(part, trigger, topics, bench, () => raw.ask(load, Sent))
  } finally {
    await raw.stop()
  }
}

async function playRounds(
  part: string,
  trigger: TriggerRun,
  topics: Topics,
  { servers, rounds, progress, figure }: Bench,
  playRaw: () => Promise<{ seconds: number }>,
): Promise<void> {
  const cpu = await serverCpu(servers)
  for (let round = 0; round <= rounds; round += 1) {
    progress(`${part} ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`)
    await trigger.fill(topics.from, MESSAGES)
    const raw = await playRaw()
    const { result: run, used } = await cpuDuring(cpu, () => trigger.consume(MESSAGES))
    if (round === 0) continue
    figure(`${part}.messagesPerSecond`, MESSAGES / run.seconds)
    figure(`${part}.rawMessagesPerSecond`, MESSAGES / raw.seconds)
    figure(`${part}.ratioToRaw`, raw.seconds / run.seconds)
    figure(`${part}.cpuMicrosPerMessage`, run.cpuMicros / MESSAGES)
    const measured = { jobs: MESSAGES, seconds: run.seconds }
    addCpuFigures(part, used, ['kafka', 'postgres'], measured, figure)
  }
  await checkForwarded(topics, MESSAGES * (rounds + 1))
}

/** What is left in memory must not grow with the messages. */
async function measureHeap(
  part: string,
  trigger: TriggerRun,
  topics: Topics,
  { progress, figure }: Bench,
): Promise<void> {
  let first = Number.NaN
  for (let done = HEAP_STEP; done <= HEAP_MESSAGES; done += HEAP_STEP) {
    progress(`${part} ${done} of ${HEAP_MESSAGES} messages`)
    await trigger.fill(topics.from, HEAP_STEP)
    await trigger.consume(HEAP_STEP)
    if (done === HEAP_STEP) first = await trigger.heapMiB()
  }
  figure(`${part}.heapGrowthMiB`, (await trigger.heapMiB()) - first)
  await checkForwarded(topics, HEAP_MESSAGES)
}

/** A figure counts only if each message was forwarded once. */
async function checkForwarded(topics: Topics, expected: number): Promise<void> {
  const arrived = await topics.messagesTo()
  if (arrived === expected) return
  throw new Error(`${expected} messages were to be forwarded, and ${arrived} arrived`)
}
