// The ceiling: a zeebe-node worker that only completes, at its best settings.
import { Type } from 'typebox'
import { serve, setupOf } from '../child.js'
import { zeebeRuns } from './zeebe-runs.js'

const { address, taskType } = setupOf(Type.Object({ address: Type.String(), taskType: Type.String() }))
const runs = zeebeRuns(address, taskType, { maxJobsToActivate: 512 }, async () => undefined)

serve(Type.Object({ jobs: Type.Number() }), ({ jobs }) => runs.run(jobs), runs.close)
