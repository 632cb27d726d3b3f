import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  assign,
  decodeAssignment,
  encodeAssignment,
  type Strategy,
} from '../../../../src/brokers/kafka/consume/assignment.js'

const PARTITIONS: Record<string, number> = { a: 3, b: 4, c: 1 }

/** Each member's share, as text such as `a0 a1`. @param members in no order, each with its topics */
function shares(strategy: Strategy, members: Record<string, string[]>): Record<string, string> {
  const given = Object.entries(members).map(([memberId, topics]) => ({ memberId, topics }))
  const assigned = assign(strategy, given, (topic) => PARTITIONS[topic] ?? 0)
  return Object.fromEntries(
    [...assigned].map(([memberId, places]) => [
      memberId,
      places.map(({ topic, partition }) => `${topic}${partition}`).join(' '),
    ]),
  )
}

describe('partitions are shared out', () => {
  it('in ranges of each topic, the first members taking what is left over', () => {
    assert.deepEqual(shares('range', { two: ['a', 'b'], one: ['a', 'b'] }), {
      one: 'a0 a1 b0 b1',
      two: 'a2 b2 b3',
    })
  })

  it('one after the other in turn, over all topics', () => {
    assert.deepEqual(shares('roundRobin', { two: ['a', 'b'], one: ['a', 'b'] }), {
      one: 'a0 a2 b1 b3',
      two: 'a1 b0 b2',
    })
  })

  it('among those that want the topic, in ranges', () => {
    assert.deepEqual(shares('range', { one: ['a'], two: ['a', 'b'], three: ['b'] }), {
      one: 'a0 a1',
      three: 'b0 b1',
      two: 'a2 b2 b3',
    })
  })

  it('among those that want the topic, in turn, passing over the others', () => {
    assert.deepEqual(shares('roundRobin', { one: ['a'], two: ['a', 'b'], three: ['b'] }), {
      one: 'a0 a2',
      three: 'b0 b2',
      two: 'a1 b1 b3',
    })
  })

  it('to nobody where there are fewer than members, or none', () => {
    assert.deepEqual(shares('range', { one: ['c'], two: ['c', 'nowhere'] }), { one: 'c0', two: '' })
    assert.deepEqual(shares('roundRobin', { one: ['c'], two: ['c', 'nowhere'] }), { one: 'c0', two: '' })
  })
})

it('a share is the same after its way over the wire', () => {
  const places = [
    { topic: 'a', partition: 0 },
    { topic: 'a', partition: 2 },
    { topic: 'b', partition: 1 },
  ]
  assert.deepEqual(decodeAssignment(encodeAssignment(places)), places)
  assert.deepEqual(decodeAssignment(Buffer.alloc(0)), [])
})
