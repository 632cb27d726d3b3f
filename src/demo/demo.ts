import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { NewAdapter } from '../adapters/adapter.js'
import type { AuditEntry } from '../audit/audit-entry.js'
import { auditPage } from '../audit/audit-queries.js'
import { readConfig } from '../core/config.js'
import { createLog } from '../core/log.js'
import { packageRoot } from '../core/package-root.js'
import { pause } from '../core/time-limit.js'
import type { Database } from '../db/database.js'
import { zeebeProcesses } from '../engine/zeebe-processes.js'
import { openWorkbench, startService } from '../service.js'
import { slaSummaries } from '../sla/sla-queries.js'
import type { OnProgress } from '../stack/progress.js'
import { startStack } from '../stack/stack.js'
import { loadTriggerAdapters } from '../trigger/trigger-adapters.js'
import { createTrigger } from '../trigger/triggers.js'
import { differences, type Order, roundTripDifferences, type Started, type Traces } from './compare.js'
import { environmentOf } from './environment.js'
import { readKafkaTopic, readRocketmqTopic } from './read-back.js'

/** What the process in bpmn/order-published.bpmn refers to. */
const PROCESS = 'order-published'
/** What each of its messages starts. */
const NEXT_PROCESS = 'order-started-by-message'
const TRIGGER = 'orders-in'
const KAFKA = { adapter: 'orders-kafka', topic: 'orders' }
const ROCKETMQ = { adapter: 'orders-rocketmq', topic: 'order-announcements' }

const VARIABLES = { kafka: 'KAFKA_BOOTSTRAP', rocketmq: 'ROCKETMQ_NAMESERVER' }
const ADAPTERS: NewAdapter[] = [
  {
    name: KAFKA.adapter,
    kind: 'kafka',
    address: `@env(${VARIABLES.kafka})`,
    description: 'orders of the shop',
    // So that the trigger sees objects and not texts.
    valueSerialization: 'json',
  },
  {
    name: ROCKETMQ.adapter,
    kind: 'rocketmq',
    address: `@env(${VARIABLES.rocketmq})`,
    description: 'announcements of orders',
  },
]
/** A trigger joins its group within seconds. */
const START_LIMIT_MS = 60_000
const LOOK_AGAIN_MS = 200
const CUSTOMERS = ['Ada Lovelace', 'Boris', '陈晨', 'Dana', 'Emil']

export interface DemoOptions {
  /** For the servers' data; what an earlier demo left there is removed. */
  folder: string
  signal: AbortSignal
  onProgress: OnProgress
  /** Told what is done, before it is done. */
  onStep: (text: string) => void
}

export interface Demo {
  /** The variables that make the commands use the demo's servers. */
  environment: Record<string, string>
  orders: Order[]
  kafka: Traces
  rocketmq: Traces
  started: Started
  /** Empty when everything is as promised. */
  differences: string[]
  /** Stops the worker and the servers. */
  stop(): Promise<void>
}

/**
 * The whole road, on real servers: two adapters, a worker, a process started five times, what each left in the
 * brokers, in the audit log and in the counters, and the next process that each message has started. The worker and the servers go on running until `stop`.
 * @throws RelayError; then everything is stopped.
 */
export async function runDemo({ folder, signal, onProgress, onStep }: DemoOptions): Promise<Demo> {
  const closers: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  try {
    const stack = await startStack({ dataFolder: folder, onProgress })
    closers.push(stack.stop)
    const { kafka, rocketmq } = stack.addresses
    if (!kafka || !rocketmq) throw new Error('the stack is incomplete')
    const environment = environmentOf(stack.addresses)
    const config = readConfig({
      ...environment,
      BPMN_RELAY_HTTP_PORT: process.env.BPMN_RELAY_HTTP_PORT ?? '0',
      BPMN_RELAY_LOG_LEVEL: process.env.BPMN_RELAY_LOG_LEVEL ?? 'warn',
    })
    const log = createLog({ level: config.logLevel, format: config.logFormat })

    onStep('Making two environment variables and two adapters whose addresses refer to them')
    const workbench = await openWorkbench(config, log)
    const { database, store } = workbench
    closers.push(() => database.close())
    const description = 'made by the demo'
    const addresses = { [VARIABLES.kafka]: kafka.bootstrapServers, [VARIABLES.rocketmq]: rocketmq.nameServer }
    for (const [name, value] of Object.entries(addresses))
      await store.setVariable({ name, value, secret: false, description })
    for (const adapter of ADAPTERS) await store.createAdapter(adapter)

    onStep(`Starting a worker and deploying the process ${PROCESS}`)
    const service = await startService(config, log)
    closers.push(() => service.stop())
    const processes = zeebeProcesses(config, log)
    closers.push(() => processes.close())
    await processes.deploy(path.join(packageRoot(), 'bpmn', 'order-published.bpmn'))

    onStep(`Running the process for ${CUSTOMERS.length} orders`)
    const orders = await Promise.all(
      CUSTOMERS.map(async (customer, index): Promise<Order> => {
        const orderId = `order-${index + 1}`
        const { processInstanceKey } = await processes.run(PROCESS, {
          orderId,
          customer,
          amount: (index + 1) * 9.5,
        })
        return { orderId, processInstanceKey }
      }),
    )

    onStep(
      `Making a trigger that starts the process ${NEXT_PROCESS} with each message of topic ${KAFKA.topic}`,
    )
    await processes.deploy(path.join(packageRoot(), 'bpmn', `${NEXT_PROCESS}.bpmn`))
    const { id: adapterId } = await store.adapter(KAFKA.adapter)
    await createTrigger(
      database,
      {
        ...{ name: TRIGGER, adapterId, topics: [KAFKA.topic], initialOffset: 'earliest' },
        action: { kind: 'start', processId: NEXT_PROCESS, version: null },
        variables: '={order: value}',
      },
      await loadTriggerAdapters({ ...workbench, log }),
    )
    await untilStarted(database, orders.length, signal)

    onStep("Reading the messages back with the brokers' own tools")
    const tools = { folder: path.join(folder, 'tools'), signal }
    await mkdir(tools.folder, { recursive: true })
    const [inKafka, inRocketmq] = await Promise.all([
      readKafkaTopic(kafka.bootstrapServers, KAFKA.topic, tools),
      readRocketmqTopic(rocketmq.nameServer, ROCKETMQ.topic, tools),
    ])
    const since = new Date(0)
    const tracesOf = async (adapter: string, messages: Traces['messages']): Promise<Traces> => ({
      adapter,
      messages,
      calls: (await auditPage(database, { adapter, source: 'job' }, { limit: 1000 })).entries,
      counters: await slaSummaries(database, config, { adapter, operation: 'publish', since }),
    })
    const traces = {
      kafka: await tracesOf(KAFKA.adapter, inKafka),
      rocketmq: await tracesOf(ROCKETMQ.adapter, inRocketmq),
    }
    const started: Started = {
      trigger: TRIGGER,
      calls: await callsOfTrigger(database),
      counters: await slaSummaries(database, config, { operation: 'trigger.start', since }),
    }
    return {
      ...{ environment, orders, ...traces, started, stop },
      differences: [
        ...differences(orders, traces.kafka),
        ...differences(orders, traces.rocketmq),
        ...roundTripDifferences(orders, traces.kafka, started),
      ],
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function callsOfTrigger(database: Database): Promise<AuditEntry[]> {
  return (await auditPage(database, { source: 'trigger' }, { limit: 1000 })).entries
}

/** Whatever is missing at the end of the limit is told as a difference. */
async function untilStarted(database: Database, count: number, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + START_LIMIT_MS
  while ((await callsOfTrigger(database)).length < count && performance.now() < giveUpAt) {
    await pause(LOOK_AGAIN_MS, signal)
    if (signal.aborted) return
  }
}
