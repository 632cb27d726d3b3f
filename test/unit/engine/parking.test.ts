import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isWithoutBackOffFault, Parking } from '../../../src/engine/parking.js'
import { jobWith } from '../../helpers/job.js'

const FAILURE = { kind: 'fail', retries: 2, backOffMs: 60_000, message: 'not yet' } as const

describe('jobs that back off in the worker', () => {
  test('are not taken where their time ends before their back-off', () => {
    const parking = new Parking(async () => assert.fail('told of a job that it did not take'))
    const job = jobWith({ deadline: performance.now() + FAILURE.backOffMs })

    assert.equal(parking.take(job, FAILURE), false)
  })

  test('are told of with the rest of their back-off when they are to go', async () => {
    const told: number[] = []
    const parking = new Parking(async (_, { backOffMs }) => told.push(backOffMs))
    parking.take(jobWith({ deadline: performance.now() + 2 * FAILURE.backOffMs }), FAILURE)

    await parking.clear()

    assert.equal(told.length, 1)
    assert.ok(told.every((backOffMs) => backOffMs > FAILURE.backOffMs / 2 && backOffMs <= FAILURE.backOffMs))
  })

  test('are told of without a back-off when it is over', async () => {
    const told = await new Promise<number>((resolve) => {
      const parking = new Parking(async (_, { backOffMs }) => resolve(backOffMs))
      parking.take(jobWith({ deadline: performance.now() + 60_000 }), { ...FAILURE, backOffMs: 5 })
    })

    assert.equal(told, 0)
  })
})

describe('the fault in back-offs', () => {
  const versions: [string, boolean][] = [
    ['8.3.5', false],
    ['8.4.17', false],
    ['8.5.24', false],
    ['8.5.25', true],
    ['8.6.0', false],
    ['8.6.12', false],
    ['8.6.13', true],
    ['8.7.0', true],
    ['8.8.21', true],
    ['9.0.0-alpha1', true],
    ['something else', false],
  ]
  for (const [version, cured] of versions) {
    test(`is ${cured ? 'cured' : 'to be reckoned with'} in an engine of version ${version}`, () => {
      assert.equal(isWithoutBackOffFault(version), cured)
    })
  }
})
