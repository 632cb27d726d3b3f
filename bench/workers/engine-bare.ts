// The ceiling: a zeebe-node worker that only completes, at its best settings.
import { Type } from 'typebox'
import { ZBClient } from 'zeebe-node'
import { pause } from '../../src/core/time-limit.js'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { Completions } from './completions.js'

const { address, taskType } = setupOf(Type.Object({ address: Type.String(), taskType: Type.String() }))
const client = new ZBClient(address, { loglevel: 'NONE' })
const LONG_POLL_MS = 1000
const completions = new Completions()

serve(
  Type.Object({ jobs: Type.Number() }),
  async ({ jobs }) => {
    const all = completions.next(jobs)
    let close: () => Promise<unknown> = async () => undefined
    const run = await measured(async () => {
      const worker = client.createWorker({
        taskType,
        loglevel: 'NONE',
        maxJobsToActivate: 512,
        pollInterval: 10,
        longPoll: LONG_POLL_MS,
        timeout: 60_000,
        taskHandler: async (job) => {
          const receipt = await job.complete()
          completions.add(job.processInstanceKey)
          return receipt
        },
      })
      close = () => worker.close()
      await all
    })
    await close()
    // A closed worker's last poll goes on at the gateway and would take jobs of the next run with it.
    await pause(1.5 * LONG_POLL_MS)
    return { ...run, completed: await all }
  },
  () => client.close(),
)
