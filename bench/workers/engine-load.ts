// Deploys one-task processes, starts instances of them and cancels them.
import { Type } from 'typebox'
import { ZBClient } from 'zeebe-node'
import { pause } from '../../src/core/time-limit.js'
import { serve, setupOf } from '../child.js'
import { sharedClockMs } from './clock.js'
import { orderText } from './message.js'

const CONCURRENT = 64

const { address, bytes } = setupOf(Type.Object({ address: Type.String(), bytes: Type.Number() }))
const client = new ZBClient(address, { loglevel: 'NONE' })
let number = 0

const Deploy = Type.Object({ deploy: Type.Array(Type.Object({ name: Type.String(), xml: Type.String() })) })
const Create = Type.Object({
  processId: Type.String(),
  count: Type.Number(),
  /** Instances a second; 0: as fast as the engine takes them. */
  perSecond: Type.Number(),
})
/** Keys of process instances. */
const Cancel = Type.Object({ cancel: Type.Array(Type.String()) })

serve(
  Type.Union([Deploy, Create, Cancel]),
  async (request) => {
    if ('deploy' in request) {
      for (const { name, xml } of request.deploy) {
        await client.deployResource({ name, process: Buffer.from(xml) })
      }
      return []
    }
    if ('cancel' in request) {
      await inLanes(request.cancel.length, (index) =>
        client.cancelProcessInstance(request.cancel[index] ?? ''),
      )
      return []
    }
    return await create(request.processId, request.count, request.perSecond)
  },
  () => client.close(),
)

/** Process instance key and time of the request, of each instance. */
async function create(processId: string, count: number, perSecond: number): Promise<[string, number][]> {
  const startedAt = sharedClockMs()
  const created: [string, number][] = []
  const createOne = async () => {
    number += 1
    const variables = { orderId: `order-${number}`, order: JSON.parse(orderText(number, bytes)) }
    const requestedAt = sharedClockMs()
    const { processInstanceKey } = await client.createProcessInstance({ bpmnProcessId: processId, variables })
    created.push([processInstanceKey, requestedAt])
  }
  if (perSecond > 0) {
    const running: Promise<void>[] = []
    for (let next = 0; next < count; next += 1) {
      await pause(startedAt + (next * 1000) / perSecond - sharedClockMs())
      running.push(createOne())
    }
    await Promise.all(running)
  } else {
    await inLanes(count, createOne)
  }
  return created
}

/** Calls `act` with 0, 1, 2, …, so many at a time as the engine takes well. */
async function inLanes(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) {
      next += 1
      await act(next - 1)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, lane))
}
