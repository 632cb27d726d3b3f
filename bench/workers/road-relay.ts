// bpmn-relay as it is, on an engine that has its jobs in memory.
import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { readConfig } from '../../src/core/config.js'
import { createLog } from '../../src/core/log.js'
import { startService } from '../../src/service.js'
import { quantile } from '../benchmark.js'
import { serve, setupOf } from '../child.js'
import { heapMiB, measured } from '../measure.js'
import { MemoryEngine } from './memory-engine.js'
import { orderText } from './message.js'

const { databaseUrl, taskType, adapter, topic, bytes, maxInFlight, keyed } = setupOf(
  Type.Object({
    databaseUrl: Type.String(),
    taskType: Type.String(),
    adapter: Type.String(),
    topic: Type.String(),
    bytes: Type.Number(),
    maxInFlight: Type.Number(),
    keyed: Type.Boolean(),
  }),
)

const config = readConfig({ DATABASE_URL: databaseUrl, BPMN_RELAY_MAX_IN_FLIGHT: String(maxInFlight) })
const engine = new MemoryEngine(`memory-${randomUUID()}`)
const service = await startService(config, createLog({ level: 'warn', format: 'text' }), engine)

const FIRST_KEY = 2_251_799_813_685_249
let number = 0

serve(
  Type.Object({ jobs: Type.Number() }),
  async ({ jobs }) => {
    let durationsMs: number[] = []
    const run = await measured(async () => {
      durationsMs = await engine.run(jobs, nextJob)
    })
    return {
      ...run,
      p50Ms: quantile(durationsMs, 0.5),
      p99Ms: quantile(durationsMs, 0.99),
      heapMiB: heapMiB(),
    }
  },
  () => service.stop(),
)

function nextJob(deadline: number) {
  number += 1
  const key = keyed ? `,"key":"order-${number}"` : ''
  return {
    key: String(FIRST_KEY + 4 * number),
    type: taskType,
    processInstanceKey: String(FIRST_KEY + 4 * number - 2),
    processId: 'bench-road',
    processVersion: 1,
    elementId: 'Publish',
    elementInstanceKey: String(FIRST_KEY + 4 * number - 1),
    tenantId: '<default>',
    retries: 3,
    headers: {},
    variables: `{"adapterId":"${adapter}","topic":"${topic}","message":${orderText(number, bytes)}${key}}`,
    deadline,
  }
}
