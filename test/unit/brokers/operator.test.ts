import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { capabilityOf } from '../../../src/brokers/operator.js'

const close = async () => undefined

describe('what operators can do', () => {
  it('is what the driver has', async () => {
    const deleted: string[] = []
    const operator = { close, deleteTopic: async (topic: string) => void deleted.push(topic) }
    await capabilityOf(operator, 'deleteTopic', 'kafka')('orders')
    assert.deepEqual(deleted, ['orders'])
  })

  it('is refused by name where the driver lacks it', () => {
    assert.throws(() => capabilityOf({ close }, 'listAcls', 'pigeon'), {
      code: 'NOT_SUPPORTED',
      message: /adapters of kind pigeon cannot list ACLs/,
    })
  })
})
