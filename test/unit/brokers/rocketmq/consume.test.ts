import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { allocateAveragely } from '../../../../src/brokers/rocketmq/consume/allocation.js'
import { checkFilter, subscriptionData } from '../../../../src/brokers/rocketmq/consume/filter.js'
import { bodyOf, decodeMessages } from '../../../../src/brokers/rocketmq/consume/stored-message.js'
import { RelayError } from '../../../../src/core/errors.js'

/** Bit of the system flag; behind it, from bit 8 on, the kind. */
const COMPRESSED = 1

describe('the queues of a topic', () => {
  for (const [queues, members, shares] of [
    [4, 1, [4]],
    [4, 2, [2, 2]],
    [8, 3, [3, 3, 2]],
    [2, 3, [1, 1, 0]],
  ] as const) {
    test(`are shared out ${shares.join(', ')} if there are ${queues} and ${members} members`, () => {
      const all = Array.from({ length: queues }, (_, i) => i)
      const ids = Array.from({ length: members }, (_, i) => `member-${i}`)

      const parts = ids.map((id) => allocateAveragely(all, [...ids].reverse(), id))

      assert.deepEqual(
        parts.map((part) => part.length),
        shares,
      )
      assert.deepEqual(parts.flat(), all)
    })
  }
})

describe('a filter', () => {
  test('names tags by the hashes that brokers compare', () => {
    const { subString, codeSet } = subscriptionData('t', { tags: ['AaAa', 'created'] }, 1)

    assert.equal(subString, 'AaAa||created')
    // java.lang.String.hashCode of each.
    assert.deepEqual(codeSet, [2031744, 1028554472])
  })

  for (const [what, filter] of [
    ['no tag at all', { tags: [] }],
    ['several tags written as one', { tags: ['a||b'] }],
    ['a tag with spaces around', { tags: [' a'] }],
    ['an empty SQL expression', { sql: ' ' }],
  ] as const) {
    test(`is refused with ${what}, naming its topic`, () => {
      const own = 'tags' in filter ? { tags: [...filter.tags] } : filter
      assert.throws(
        () => checkFilter('orders', own),
        (error) => error instanceof RelayError && /"orders"/.test(error.message) && !error.retryable,
      )
    })
  }
})

describe('messages as a broker keeps them', () => {
  test('are read with IPv6 hosts and topics of the second version', () => {
    const [message] = decodeMessages(stored({ v6: true, version: 2, topic: 't'.repeat(200) }))

    assert.equal(message?.topic, 't'.repeat(200))
    assert.equal(String(message?.rawBody), 'body')
    assert.equal(message?.offset, 2n ** 40n)
    assert.deepEqual([...(message?.properties ?? [])], [['TAGS', 'a']])
    assert.equal(message?.attempt, 4)
  })

  test('are refused as a whole where one cannot be read, so that none is passed over', () => {
    const bytes = Buffer.concat([stored({}), stored({ magic: 0x12345678 })])

    assert.throws(() => decodeMessages(bytes), RelayError)
  })

  test('are refused when they end too early', () => {
    assert.throws(() => decodeMessages(stored({}).subarray(0, -3)), RelayError)
  })

  for (const [what, flags, reason] of [
    ['of a kind nobody knows', COMPRESSED | (5 << 8), 'is none of zlib, lz4 and zstd: have its sender use'],
    ['otherwise than they claim', COMPRESSED | (3 << 8), 'is not zlib, as it claims to be'],
  ] as const) {
    test(`have no body when it is compressed ${what}, which is told with its place`, async () => {
      const [message] = decodeMessages(stored({ flags }))

      await assert.rejects(async () => message && (await bodyOf(message)), {
        code: 'VALUE_NOT_DESERIALIZABLE',
        message: new RegExp(`offset 1099511627776 of queue 3 of topic topic .*${reason}`),
      })
    })
  }
})

interface StoredOptions {
  v6?: boolean
  version?: 1 | 2
  topic?: string
  magic?: number
  flags?: number
}

/** One message in the broker's own form. */
function stored({ v6 = false, version = 1, topic = 'topic', magic, flags = 0 }: StoredOptions): Buffer {
  const body = Buffer.from('body')
  const properties = Buffer.from('TAGS\u0001a\u0002')
  const numbers = (...values: [bits: 8 | 16 | 32 | 64, value: number][]) =>
    Buffer.concat(
      values.map(([bits, value]) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigUInt64BE(BigInt(value))
        return bytes.subarray(8 - bits / 8)
      }),
    )
  const host = Buffer.alloc((v6 ? 16 : 4) + 4)
  const rest = Buffer.concat([
    numbers(
      [32, magic ?? (version === 1 ? 0xdaa320a7 : 0xdaa320ab)],
      [32, 0],
      [32, 3],
      [32, 0],
      [64, 2 ** 40],
      [64, 77],
      [32, flags | (v6 ? 0b110000 : 0)],
      [64, 1],
    ),
    host,
    numbers([64, 1]),
    host,
    numbers([32, 3], [64, 0], [32, body.length]),
    body,
    numbers([version === 1 ? 8 : 16, topic.length]),
    Buffer.from(topic),
    numbers([16, properties.length]),
    properties,
  ])
  return Buffer.concat([numbers([32, rest.length + 4]), rest])
}
