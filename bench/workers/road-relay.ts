// bpmn-relay as it is, on an engine that has its jobs in memory.
import { randomUUID } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { readConfig } from '../../src/core/config.js'
import { createLog } from '../../src/core/log.js'
import type { Job } from '../../src/engine/engine.js'
import { startService } from '../../src/service.js'
import { serve, setupOf } from '../child.js'
import { RelayLoad } from '../loads.js'
import { heapMiB } from '../measure.js'
import { MemoryEngine } from './memory-engine.js'
import { orderText } from './message.js'
import { countProduceRequests } from './produce-requests.js'
import { sent, turnsOf } from './sent.js'

const { databaseUrl, taskType, maxInFlight } = setupOf(
  Type.Object({ databaseUrl: Type.String(), taskType: Type.String(), maxInFlight: Type.Number() }),
)
const requests = countProduceRequests()
const config = readConfig({
  DATABASE_URL: databaseUrl,
  BPMN_RELAY_MAX_IN_FLIGHT: String(maxInFlight),
  BPMN_RELAY_HTTP_PORT: 'off',
})
const engine = new MemoryEngine(`memory-${randomUUID()}`)
const service = await startService(config, createLog({ level: 'warn', format: 'text' }), engine)

const FIRST_KEY = 2_251_799_813_685_249
let number = 0

serve(
  Type.Union([RelayLoad, Type.Object({ heap: Type.Literal(true) })]),
  async (request) => ('heap' in request ? heapMiB() : await publish(request)),
  () => service.stop(),
)

function publish(load: Static<typeof RelayLoad>) {
  const limit = { steps: load.limit.messages, ms: load.limit.ms }
  const adapterOf = turnsOf(load.adapters)
  const topicOf = turnsOf(load.topics)
  const jobOf = (deadline: number): Job => {
    number += 1
    const key = load.keyed ? `,"key":"order-${number}"` : ''
    const message = orderText(number, load.bytes)
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
      variables: `{"adapterId":"${adapterOf(number)}","topic":"${topicOf(number)}","message":${message}${key}}`,
      deadline,
    }
  }
  return sent(1, requests, () => engine.run(load.inFlight, limit, jobOf))
}
