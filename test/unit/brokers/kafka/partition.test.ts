import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Partitioners } from 'kafkajs'
import { partitionOfKey } from '../../../../src/brokers/kafka/partition.js'

/** Hashes that the tests of Kafka's Java client name, made positive as its partitioner does. */
const JAVA_HASHES = {
  '21': -973932308,
  foobar: -790332482,
  'a-little-bit-long-string': -985981536,
  'a-little-bit-longer-string': -1486304829,
  lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
}

test('a key gets the partition the Java client gives it', () => {
  for (const [key, hash] of Object.entries(JAVA_HASHES)) {
    assert.equal(partitionOfKey(Buffer.from(key), 1_000_003), (hash & 0x7fffffff) % 1_000_003, key)
  }
})

test('keys of every length and byte get the partition kafkajs gives them', () => {
  const partitionOf = Partitioners.DefaultPartitioner()
  const partitionMetadata = Array.from({ length: 97 }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
  }))
  for (let length = 0; length < 300; length++) {
    const key = Buffer.from(Array.from({ length }, (_, i) => (i * 89 + length * 31) % 256))
    const expected = partitionOf({ topic: 't', partitionMetadata, message: { key, value: null } })
    assert.equal(partitionOfKey(key, 97), expected, `${length} bytes`)
  }
})
