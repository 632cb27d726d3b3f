// bpmn-relay as it is, except that it takes jobs only while the runner wants it to, and of its own task type only:
// others may be using the same engine.
import { Type } from 'typebox'
import { readConfig } from '../../src/core/config.js'
import { createLog } from '../../src/core/log.js'
import type { Engine, Job, JobWorker, WorkOptions } from '../../src/engine/engine.js'
import { createZeebeEngine } from '../../src/engine/zeebe.js'
import { startService } from '../../src/service.js'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { Completions } from './completions.js'

const STOP_GRACE_MS = 10_000

const { address, databaseUrl, taskType, kind } = setupOf(
  Type.Object({
    address: Type.String(),
    databaseUrl: Type.String(),
    taskType: Type.String(),
    kind: Type.Enum(['kafka', 'rocketmq']),
  }),
)
const config = readConfig({
  ...process.env,
  ZEEBE_ADDRESS: address,
  DATABASE_URL: databaseUrl,
  BPMN_RELAY_WORKER_NAME: `bench-${kind}`,
  [kind === 'kafka' ? 'BPMN_RELAY_KAFKA_TASK_TYPES' : 'BPMN_RELAY_ROCKETMQ_TASK_TYPES']: taskType,
})
const log = createLog({ level: 'warn', format: 'text' })
const zeebe = createZeebeEngine(config, log)
const completions = new Completions()
let startWorker: () => JobWorker = () => {
  throw new Error('the service has not started to work')
}
const engine: Engine = {
  name: zeebe.name,
  work(options: WorkOptions, handle: (job: Job) => Promise<void>): JobWorker {
    startWorker = () => zeebe.work({ ...options, types: [taskType] }, handle)
    return { inFlight: 0, lastPollAgeMs: () => 0, stop: async () => 0 }
  },
  async settle(job, settlement) {
    const answer = await zeebe.settle(job, settlement)
    if (answer !== 'accepted' || settlement.kind !== 'complete') {
      log.error('a job was not completed', { answer, settlement })
    }
    completions.add(job.processInstanceKey)
    return answer
  },
  check: () => zeebe.check(),
  close: () => zeebe.close(),
}
const service = await startService(config, log, engine)

serve(
  Type.Object({ jobs: Type.Number() }),
  async ({ jobs }) => {
    const all = completions.next(jobs)
    let worker: JobWorker | undefined
    const run = await measured(async () => {
      worker = startWorker()
      await all
    })
    await worker?.stop(STOP_GRACE_MS)
    return { ...run, completed: await all }
  },
  () => service.stop(),
)
