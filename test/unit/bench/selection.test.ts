import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectedParts } from '../../../bench/selection.js'

const PARTS = [
  'engine.kafka',
  'road.kafka',
  'road.kafka1k',
  'road.kafka.inFlight1.1KB.none',
  'road.kafka.latency',
]

function selected(only: string): string[] | undefined {
  const found = selectedParts(only, PARTS)
  return found && [...found]
}

test('without a name every part of the benchmark is run', () => {
  assert.deepEqual(selected(''), PARTS)
})

test('a name stands for itself and what is below it, not for what begins with its letters', () => {
  assert.deepEqual(selected('road.kafka'), [
    'road.kafka',
    'road.kafka.inFlight1.1KB.none',
    'road.kafka.latency',
  ])
})

test('a star stands for any one dotted part of a name', () => {
  assert.deepEqual(selected('*.kafka.*.1KB'), ['road.kafka.inFlight1.1KB.none'])
})

test('several names are joined by commas', () => {
  assert.deepEqual(selected('engine, road.kafka1k'), ['engine.kafka', 'road.kafka1k'])
})

test('the name of a figure stands for the part that measures it', () => {
  assert.deepEqual(selected('road.kafka.latencyAboveBrokerMs'), ['road.kafka.latency'])
  assert.deepEqual(selected('road.kafka1k.ratioToRaw'), ['road.kafka1k'])
})

test('one name that means nothing spoils the whole selection', () => {
  assert.equal(selected('engine,roads'), undefined)
})
