import { type Static, Type } from 'typebox'
import { readConfig } from '../../src/core/config.js'
import { createLog } from '../../src/core/log.js'
import type {
  Engine,
  Job,
  JobWorker,
  SettleAnswer,
  Settlement,
  WorkOptions,
} from '../../src/engine/engine.js'
import { createZeebeEngine } from '../../src/engine/zeebe.js'
import { startService } from '../../src/service.js'

export const RelaySetup = Type.Object({
  address: Type.String(),
  databaseUrl: Type.String(),
  taskType: Type.String(),
  kind: Type.Enum(['kafka', 'rocketmq']),
})

/**
 * bpmn-relay as it is, except that it takes jobs only while the runner wants it to, and of its own task type only:
 * others may be using the same engine.
 * @param onSettled told of every settlement once the engine has answered
 */
export async function startRelay(
  { address, databaseUrl, taskType, kind }: Static<typeof RelaySetup>,
  onSettled: (job: Job, settlement: Settlement, answer: SettleAnswer) => void,
): Promise<{ work(): JobWorker; stop(): Promise<void> }> {
  const config = readConfig({
    ...process.env,
    BPMN_RELAY_HTTP_PORT: 'off',
    ZEEBE_ADDRESS: address,
    DATABASE_URL: databaseUrl,
    BPMN_RELAY_WORKER_NAME: `bench-${kind}`,
    [kind === 'kafka' ? 'BPMN_RELAY_KAFKA_TASK_TYPES' : 'BPMN_RELAY_ROCKETMQ_TASK_TYPES']: taskType,
  })
  const log = createLog({ level: 'warn', format: 'text' })
  const zeebe = createZeebeEngine(config, log)
  let work: () => JobWorker = () => {
    throw new Error('the service has not started to work')
  }
  const engine: Engine = {
    ...zeebe,
    work(options: WorkOptions, handle: (job: Job) => Promise<void>): JobWorker {
      work = () => zeebe.work({ ...options, types: [taskType] }, handle)
      return { inFlight: 0, lastPollAgeMs: () => 0, stop: async () => 0 }
    },
    async settle(job, settlement) {
      const answer = await zeebe.settle(job, settlement)
      onSettled(job, settlement, answer)
      return answer
    },
  }
  const service = await startService(config, log, engine)
  return { work: () => work(), stop: () => service.stop() }
}
