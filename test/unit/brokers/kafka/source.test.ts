import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkSource } from '../../../../src/brokers/kafka/consume/source.js'
import { parseKafkaSettings } from '../../../../src/brokers/kafka/settings.js'
import type { Source } from '../../../../src/brokers/subscription.js'

const SOURCE: Source = { group: 'orders', topics: [{ topic: 'created' }] }
const settings = parseKafkaSettings('a:9092', { consumer: { concurrency: 7, initialPosition: 'earliest' } })

describe('what to consume from Kafka', () => {
  it('is as the adapter says where it is not said', () => {
    const { concurrency, batchSize, from, order } = checkSource(SOURCE, settings)
    assert.deepEqual(
      { concurrency, batchSize, from, order },
      {
        ...{ concurrency: 7, batchSize: 1, from: { at: 'earliest' }, order: 'none' },
      },
    )
  })

  it('comes again later and later, by default', () => {
    const { redeliveryDelayMs } = checkSource(SOURCE, settings)
    assert.deepEqual([1, 2, 3, 10, 2000].map(redeliveryDelayMs), [100, 200, 400, 30_000, 30_000])
  })

  const refused: [given: Partial<Source>, code: string, ...named: string[]][] = [
    [{ group: ' ' }, 'INPUT_INVALID', 'group is empty'],
    [{ topics: [] }, 'INPUT_INVALID', 'topics is empty'],
    [{ topics: [{ topic: 'no such' }] }, 'TOPIC_INVALID', 'no such'],
    [{ topics: [{ topic: 'a' }, { topic: 'a' }] }, 'INPUT_INVALID', 'names "a" twice'],
    [{ topics: [{ topic: 'a', filter: { tags: ['x'] } }] }, 'NOT_SUPPORTED', 'topic "a"', 'leave it out'],
    [{ mode: 'broadcasting' }, 'NOT_SUPPORTED', 'broadcasting', 'a group of its own'],
    [{ maxRedeliveries: 3 }, 'NOT_SUPPORTED', 'maxRedeliveries is 3', 'let the handler resolve'],
    [{ concurrency: 0 }, 'INPUT_INVALID', 'concurrency is 0'],
    [{ batchSize: 1.5 }, 'INPUT_INVALID', 'batchSize is 1.5'],
  ]
  for (const [given, code, ...named] of refused) {
    it(`is refused with ${JSON.stringify(given)}, naming the cure`, () => {
      assert.throws(
        () => checkSource({ ...SOURCE, ...given }, settings),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, code)
          for (const name of named) assert.ok(error.message.includes(name), error.message)
          return true
        },
      )
    })
  }
})
