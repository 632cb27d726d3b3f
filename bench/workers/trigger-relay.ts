// bpmn-relay as it is, with triggers that consume only while the runner wants them to, and no jobs.
import { Type } from 'typebox'
import { readConfig } from '../../src/core/config.js'
import { createLog } from '../../src/core/log.js'
import { pause } from '../../src/core/time-limit.js'
import { createZeebeEngine } from '../../src/engine/zeebe.js'
import { openWorkbench, startService } from '../../src/service.js'
import { setState } from '../../src/trigger/triggers.js'
import { serve, setupOf } from '../child.js'
import { heapMiB, measured } from '../measure.js'

/** Between two looks at how far it is, at least. */
const LOOK_MS = 5

const { address, databaseUrl } = setupOf(Type.Object({ address: Type.String(), databaseUrl: Type.String() }))
const config = readConfig({
  ZEEBE_ADDRESS: address,
  DATABASE_URL: databaseUrl,
  BPMN_RELAY_HTTP_PORT: 'off',
})
const log = createLog({ level: 'warn', format: 'text' })
const idle = { inFlight: 0, lastPollAgeMs: () => 0, stop: async () => 0 }
const service = await startService(config, log, { ...createZeebeEngine(config, log), work: () => idle })
const { database } = await openWorkbench(config, log)

serve(
  Type.Union([
    Type.Object({ trigger: Type.String(), messages: Type.Number() }),
    Type.Object({ heap: Type.Literal(true) }),
  ]),
  async (request) => ('heap' in request ? heapMiB() : await consume(request.trigger, request.messages)),
  async () => {
    await service.stop()
    await database.close()
  },
)

/** Lets a paused trigger consume so many messages, until the record of the last is durable. */
async function consume(trigger: string, messages: number) {
  const before = await recorded()
  const run = await measured(async () => {
    const startedAt = performance.now()
    await setState(database, trigger, 'running')
    for (let done = 0; done < messages; done = (await recorded()) - before) {
      // Looking costs Postgres time, so it looks again when half of the rest may be done.
      const elapsed = performance.now() - startedAt
      const rest = done === 0 ? 0 : (elapsed * (messages - done)) / done
      await pause(Math.max(LOOK_MS, Math.min(rest / 2, elapsed)))
    }
  })
  await setState(database, trigger, 'paused')
  return run
}

/** The counters are written with the record, and are few rows. */
async function recorded(): Promise<number> {
  const [row] = await database.query<{ calls: number }>(
    `SELECT coalesce(sum(calls), 0)::float8 AS calls FROM sla_counter WHERE operation LIKE 'trigger.%'`,
    [],
    'bench-recorded',
  )
  return row?.calls ?? 0
}
