// bpmn-relay, which works all the time: some of its jobs are held, and others complete meanwhile.
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { Completions } from './completions.js'
import { RelaySetup, startRelay } from './zeebe-relay.js'

/** Of the jobs in hand only those that wait for the broker that hangs are left then. */
const STOP_GRACE_MS = 1000

const completions = new Completions()
const givenBack = new Set<string>()
let timesGivenBack = 0
let onGivenBack = () => {}
const relay = await startRelay(setupOf(RelaySetup), (job, { kind }, answer) => {
  if (answer !== 'accepted') return
  if (kind === 'complete') {
    completions.add(job.processInstanceKey)
    return
  }
  timesGivenBack += 1
  givenBack.add(job.key)
  onGivenBack()
})
const worker = relay.work()

serve(
  Type.Union([
    /** Waits until so many more jobs are completed. */
    Type.Object({ jobs: Type.Number() }),
    /** Waits until so many jobs have been given back at least once. */
    Type.Object({ givenBack: Type.Number() }),
  ]),
  async (request) => {
    const before = timesGivenBack
    if ('jobs' in request) {
      const completed = await completions.next(request.jobs)
      return { completed, timesGivenBack: timesGivenBack - before }
    }
    await new Promise<void>((resolve) => {
      onGivenBack = () => givenBack.size >= request.givenBack && resolve()
      onGivenBack()
    })
    return { completed: [], timesGivenBack: timesGivenBack - before }
  },
  async () => {
    await worker.stop(STOP_GRACE_MS)
    await relay.stop()
  },
)
