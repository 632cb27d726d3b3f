import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, nextEpoch } from '../../../../src/brokers/kafka/identity.js'

const numbering = { producerId: 7n, epoch: 3, sequence: 10 }

test('a batch takes as many numbers as it has messages', () => {
  assert.deepEqual(after(numbering, 5), { ...numbering, sequence: 15 })
})

test('numbers begin again after the largest of 31 bits', () => {
  assert.equal(after({ ...numbering, sequence: 2 ** 31 - 2 }, 5).sequence, 3)
})

test('a new epoch begins its numbers at 0', () => {
  assert.deepEqual(nextEpoch(numbering), { producerId: 7n, epoch: 4, sequence: 0 })
})

test('an id has no epoch after the largest of 15 bits', () => {
  assert.equal(nextEpoch({ ...numbering, epoch: 2 ** 15 - 1 }), undefined)
})
