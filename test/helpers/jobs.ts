import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { readConfig } from '../../src/core/config.js'
import { silentLog } from '../../src/core/log.js'
import type { Job } from '../../src/engine/engine.js'
import { createZeebeEngine } from '../../src/engine/zeebe.js'
import { testServers } from './servers.js'
import { waitFor } from './wait-for.js'

export interface JobsOfType {
  type: string
  /** As they came; each is completed at once. */
  jobs: Job[]
  /** The variables of all jobs, as the engine wrote them, once there are so many. */
  variables(count: number): Promise<string[]>
}

/** Completes the jobs of a type of its own, which tell that a process has come so far, and with which variables. */
export function completeJobs(t: TestContext): JobsOfType {
  const type = `test-${randomUUID()}`
  const jobs: Job[] = []
  const engine = createZeebeEngine(readConfig({ ZEEBE_ADDRESS: testServers().zeebe.address }), silentLog)
  const worker = engine.work({ types: [type], maxInFlight: 256, jobTimeoutMs: 60_000 }, async (job) => {
    jobs.push(job)
    await engine.settle(job, { kind: 'complete', variables: {} })
  })
  t.after(async () => {
    await worker.stop(1000)
    await engine.close()
  })
  return {
    ...{ type, jobs },
    variables: (count) =>
      waitFor(`${count} jobs`, () => jobs.length >= count && jobs.map(({ variables }) => variables)),
  }
}
