import { ZBClient } from 'zeebe-node'
import { pause } from '../../src/core/time-limit.js'
import { measured } from '../measure.js'
import { Completions } from './completions.js'

const LONG_POLL_MS = 1000

/** A job as zeebe-node hands it out. */
interface ZeebeJob {
  key: string
  processInstanceKey: string
  variables: Record<string, unknown>
}

/**
 * Runs of a plain zeebe-node worker: it takes jobs only while one is on, and does `work` before it completes them.
 * @param options those that differ from the client's own defaults but for a quick poll
 */
export function zeebeRuns(
  address: string,
  taskType: string,
  options: { maxJobsToActivate?: number },
  work: (job: ZeebeJob) => Promise<void>,
) {
  const client = new ZBClient(address, { loglevel: 'NONE' })
  const completions = new Completions()

  return {
    close: () => client.close(),

    async run(jobs: number) {
      const all = completions.next(jobs)
      let close: () => Promise<unknown> = async () => undefined
      const run = await measured(async () => {
        const worker = client.createWorker({
          ...options,
          taskType,
          loglevel: 'NONE',
          pollInterval: 10,
          longPoll: LONG_POLL_MS,
          timeout: 60_000,
          taskHandler: async (job) => {
            await work(job)
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
  }
}
