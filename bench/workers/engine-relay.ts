// bpmn-relay, which works only while a run is on.
import { Type } from 'typebox'
import type { JobWorker } from '../../src/engine/engine.js'
import { serve, setupOf } from '../child.js'
import { measured } from '../measure.js'
import { Completions } from './completions.js'
import { RelaySetup, startRelay } from './zeebe-relay.js'

const STOP_GRACE_MS = 10_000

const completions = new Completions()
const relay = await startRelay(setupOf(RelaySetup), (job, settlement, answer) => {
  if (answer !== 'accepted' || settlement.kind !== 'complete') {
    console.error('a job was not completed', answer, settlement)
  }
  completions.add(job.processInstanceKey)
})

serve(
  Type.Object({ jobs: Type.Number() }),
  async ({ jobs }) => {
    const all = completions.next(jobs)
    let worker: JobWorker | undefined
    const run = await measured(async () => {
      worker = relay.work()
      await all
    })
    await worker?.stop(STOP_GRACE_MS)
    return { ...run, completed: await all }
  },
  () => relay.stop(),
)
