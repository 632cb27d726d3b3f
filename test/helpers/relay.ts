import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Adapter, NewAdapter } from '../../src/adapters/adapter.js'
import { readConfig } from '../../src/core/config.js'
import { silentLog } from '../../src/core/log.js'
import { openWorkbench, type Workbench } from '../../src/service.js'
import type { Trigger } from '../../src/trigger/trigger.js'
import { loadTriggerAdapters, type TriggerAdapters } from '../../src/trigger/trigger-adapters.js'
import type { NewTrigger } from '../../src/trigger/trigger-settings.js'
import { createTrigger } from '../../src/trigger/triggers.js'
import { createTestDatabase } from './database.js'
import { type GatewayProxy, gatewayProxy } from './gateway-proxy.js'
import { type Processes, processesOn, type ServiceTask } from './processes.js'
import { testServers } from './servers.js'
import { waitFor } from './wait-for.js'
import { startWorker, type WorkerProcess } from './worker-process.js'

export interface AuditRow {
  request_id: string
  adapter_name: string | null
  adapter_kind: string
  destination: string | null
  receipt: string | null
  status: string
  error_code: string | null
  error_text: string | null
  attempt: number
  process_instance_key: string
  process_id: string
  element_id: string
  job_key: string
  worker: string
  request: string | null
  response: string | null
}

/** An installation of its own: database, adapters and task types that no other test uses; engine and brokers are shared. */
export interface Relay extends Pick<Workbench, 'store' | 'database'> {
  processes: Processes
  /** Workers talk to the engine through it. */
  gateway: GatewayProxy
  kafkaTask: string
  rocketmqTask: string
  /** An adapter of a random name; by default for the shared Kafka, or the shared RocketMQ over remoting. */
  adapter(given: Partial<NewAdapter> & { kind: 'kafka' | 'rocketmq' }): Promise<Adapter>
  /** Listens from the beginning of its topics, in a group of its own. Workers hear of it by themselves. */
  trigger(given: Omit<NewTrigger, 'name'>): Promise<Trigger>
  /** What changes to triggers are held against. */
  triggerAdapters(): Promise<TriggerAdapters>
  startWorker(env?: Record<string, string>): Promise<WorkerProcess>
  /** Deploys a task of the kind's type of this installation; resolves to the id of the process. */
  deploy(kind: 'kafka' | 'rocketmq', task: Omit<ServiceTask, 'type'>): Promise<string>
  /** The audit rows of a process instance, oldest first, once at least `count` are there. */
  audit(processInstanceKey: string, count?: number): Promise<AuditRow[]>
}

export async function createRelay(t: TestContext, options: { databaseUrl?: string } = {}): Promise<Relay> {
  // Hooks run in the order of their making: the workers have to end before their database does.
  const workers: WorkerProcess[] = []
  t.after(() => Promise.all(workers.map((worker) => worker.kill())))
  let opened: Workbench | undefined
  t.after(() => opened?.database.close())
  const databaseUrl = options.databaseUrl ?? (await createTestDatabase(t)).url
  const workbench = await openWorkbench(readConfig({ DATABASE_URL: databaseUrl }), silentLog)
  opened = workbench
  const { store, database } = workbench

  const { zeebe, kafka, rocketmq } = testServers()
  const gateway = await gatewayProxy(t, zeebe.address)
  const processes = processesOn(t, zeebe.address)
  const kafkaTask = `test-kafka-${randomUUID()}`
  const rocketmqTask = `test-rocketmq-${randomUUID()}`
  const addresses = { kafka: kafka.bootstrapServers, rocketmq: rocketmq.nameServer }
  return {
    store,
    database,
    processes,
    gateway,
    kafkaTask,
    rocketmqTask,

    adapter: (given) =>
      store.createAdapter({
        name: `test-${randomUUID().slice(0, 13)}`,
        address: addresses[given.kind],
        ...given,
      }),

    triggerAdapters: () => loadTriggerAdapters({ ...workbench, log: silentLog }),

    async trigger(given) {
      const adapters = await loadTriggerAdapters({ ...workbench, log: silentLog })
      const name = `test-${randomUUID()}`
      return await createTrigger(database, { name, initialOffset: 'earliest', ...given }, adapters)
    },

    async startWorker(env = {}) {
      const worker = await startWorker(t, {
        DATABASE_URL: databaseUrl,
        ZEEBE_ADDRESS: gateway.address,
        BPMN_RELAY_ENGINE_NAME: 'test',
        BPMN_RELAY_KAFKA_TASK_TYPES: kafkaTask,
        BPMN_RELAY_ROCKETMQ_TASK_TYPES: rocketmqTask,
        ...env,
      })
      workers.push(worker)
      return worker
    },

    deploy: (kind, task) =>
      processes.deployTask({ ...task, type: kind === 'kafka' ? kafkaTask : rocketmqTask }),

    audit: (processInstanceKey, count = 1) =>
      waitFor(`${count} audit rows of process instance ${processInstanceKey}`, async () => {
        const rows = await database.query<AuditRow & { at: Date }>(
          'SELECT * FROM sys_audit_log WHERE process_instance_key = $1 ORDER BY at, id',
          [processInstanceKey],
        )
        return rows.length >= count && rows
      }),
  }
}
