import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { validate } from 'uuid'
import { brokerDrivers, driverOf } from '../../../src/brokers/registry.js'
import { RelayError } from '../../../src/core/errors.js'
import {
  defaultRequestIds,
  InputReader,
  type JobInput,
  parseJobInput,
  requestIdOf,
  retryBackOffOf,
} from '../../../src/publish/job-input.js'
import { jobWith } from '../../helpers/job.js'

const drivers = brokerDrivers()
const REQUIRED = { adapterId: 'orders', topic: 'order-events' }

describe('the inputs of a task', () => {
  it('are variables', () => {
    const input = kafka({ message: 'hello', key: 'k1' })
    assert.equal(input.adapterId, 'orders')
    assert.equal(input.topic, 'order-events')
    assert.equal(input.message, '"hello"')
    assert.equal(input.key, '"k1"')
  })

  it('may be task headers of the same name', () => {
    const headers = { ...REQUIRED, message: 'hello', partition: '2', headers: '{"a":"b"}' }
    const input = parse('kafka', '{}', headers)
    assert.equal(input.topic, 'order-events')
    assert.equal(input.message, '"hello"')
    assert.equal(input.partition, 2)
    assert.deepEqual(input.headers, { a: 'b' })
  })

  it('count as variable where both are given', () => {
    assert.equal(parse('kafka', JSON.stringify(REQUIRED), { topic: 'other' }).topic, 'order-events')
  })

  const optional = {
    kafka: ['key', 'headers', 'partition', 'timestamp', 'deliverySemantic'],
    rocketmq: ['keys', 'tag', 'properties', 'delayLevel', 'deliverAt', 'messageGroup', 'producerGroup'],
  } as const
  for (const [kind, names] of Object.entries(optional)) {
    for (const name of names) {
      it(`count as absent where ${name} of ${kind} is null or empty`, () => {
        const without = parse(kind, JSON.stringify(REQUIRED))
        for (const empty of [null, '']) {
          const input = parse(kind, JSON.stringify({ ...REQUIRED, [name]: empty }))
          assert.deepEqual({ ...input, message: '' }, { ...without, message: '' })
        }
      })
    }
  }

  for (const name of ['adapterId', 'topic']) {
    it(`must include ${name}`, () => {
      for (const empty of [undefined, null, '']) {
        assert.match(
          refusal(() => kafka({ [name]: empty })),
          new RegExp(`^${name} is missing: give it`),
        )
      }
    })
  }

  it('of the other kind of broker mean nothing', () => {
    assert.equal(kafka({ tag: 5, message: 'x' }).tag, undefined)
    assert.equal(rocketmq({ partition: 'x', message: 'x' }).partition, undefined)
  })
})

describe('an input of a wrong type', () => {
  const wrong: [kind: 'kafka' | 'rocketmq', name: string, value: unknown, right: RegExp][] = [
    ['kafka', 'adapterId', 5, /a text/],
    ['kafka', 'topic', ['a'], /a text/],
    ['kafka', 'partition', 'two', /a whole number from 0/],
    ['kafka', 'partition', -1, /a whole number from 0/],
    ['kafka', 'partition', 1.5, /a whole number from 0/],
    ['kafka', 'partition', true, /a whole number from 0/],
    ['kafka', 'deliverySemantic', 'exactly-once', /at-least-once or none; exactly-once is not available yet/],
    ['kafka', 'deliverySemantic', 'twice', /at-least-once or none/],
    ['kafka', 'timestamp', 'yesterday', /milliseconds since 1970 or a time such as/],
    ['kafka', 'timestamp', '2026-01-01T00:00:00', /time such as/],
    ['kafka', 'timestamp', '2026-01-01T00:00:00Zzz', /time such as/],
    ['kafka', 'timestamp', '2026-02-30T00:00:00Z', /time such as/],
    ['kafka', 'timestamp', -1, /milliseconds/],
    ['kafka', 'timestamp', {}, /milliseconds/],
    ['kafka', 'headers', 'no json', /an object, or the JSON text of one/],
    ['kafka', 'headers', '[1]', /an object/],
    ['kafka', 'headers', [1], /an object/],
    ['kafka', 'headers', 5, /an object/],
    ['kafka', 'traceparent', 5, /a text/],
    ['rocketmq', 'keys', { a: 1 }, /a text or a list of texts/],
    ['rocketmq', 'keys', ['a', null], /a text or a list of texts/],
    ['rocketmq', 'keys', 1.5, /a text or a list of texts/],
    ['rocketmq', 'tag', 5, /a text/],
    ['rocketmq', 'properties', 'x', /an object/],
    ['rocketmq', 'delayLevel', 0, /a whole number from 1 to 18/],
    ['rocketmq', 'delayLevel', 19, /a whole number from 1 to 18/],
    ['rocketmq', 'deliverAt', 'soon', /time such as/],
    ['rocketmq', 'messageGroup', false, /a text/],
    ['rocketmq', 'producerGroup', 7, /a text/],
  ]
  for (const [kind, name, value, right] of wrong) {
    it(`is refused: ${name} ${JSON.stringify(value)}, naming both and the cure`, () => {
      const message = refusal(() => parse(kind, JSON.stringify({ ...REQUIRED, message: 'x', [name]: value })))
      assert.ok(message.startsWith(`${name} is ${JSON.stringify(value)}: it must be `), message)
      assert.match(message, right)
    })
  }

  it('is refused inside headers, naming the header', () => {
    for (const value of [5, true, null, { a: 1 }, { base64: '%' }, ['a', 5]]) {
      assert.match(
        refusal(() => kafka({ headers: { trace: value } })),
        /^headers\.trace is .*\{"base64"/,
      )
    }
  })

  it('is cut short in the error when it is long', () => {
    const message = refusal(() => kafka({ partition: 'x'.repeat(10_000) }))
    assert.ok(message.length < 300, message)
  })
})

describe('partition', () => {
  it('takes a whole number and its text', () => {
    assert.equal(kafka({ partition: 2 }).partition, 2)
    assert.equal(kafka({ partition: '2' }).partition, 2)
    assert.equal(kafka({ partition: 0 }).partition, 0)
  })
})

describe('a point in time', () => {
  const newYear = Date.UTC(2026, 0, 1)
  for (const value of [
    newYear,
    String(newYear),
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00Z[UTC]',
    '2026-01-01T01:00:00+01:00',
    '2026-01-01T01:00:00+01:00[Europe/Berlin]',
  ]) {
    it(`may be ${JSON.stringify(value)}`, () => {
      assert.equal(kafka({ timestamp: value }).timestamp, newYear)
      assert.equal(rocketmq({ deliverAt: value, message: 'x' }).deliverAt, newYear)
    })
  }
})

describe('headers', () => {
  it('are an object of texts, lists of texts and {base64}', () => {
    const input = kafka({ headers: { a: 'x', b: ['x', { base64: 'AP8=' }], c: { base64: 'AP8=' } } })
    assert.deepEqual(input.headers, {
      a: 'x',
      b: ['x', Buffer.from([0, 255])],
      c: Buffer.from([0, 255]),
    })
  })

  it('may be the JSON text of one', () => {
    assert.deepEqual(kafka({ headers: '{"a":"x"}' }).headers, { a: 'x' })
    assert.deepEqual(rocketmq({ properties: '{"a":"x"}', message: 'x' }).headers, { a: 'x' })
  })

  it('keep a name that JavaScript has a meaning for', () => {
    const input = parse('kafka', `{"adapterId":"a","topic":"t","headers":{"__proto__":"x"}}`)
    assert.deepEqual(Object.entries(input.headers), [['__proto__', 'x']])
  })
})

describe('keys', () => {
  it('are one text or many', () => {
    assert.deepEqual(rocketmq({ keys: 'a', message: 'x' }).keys, ['a'])
    assert.deepEqual(rocketmq({ keys: ['a', 'b', 3], message: 'x' }).keys, ['a', 'b', '3'])
    assert.equal(rocketmq({ keys: [], message: 'x' }).keys, undefined)
  })
})

describe('message', () => {
  for (const json of [
    '9223372036854775807',
    '9007199254740993',
    '100.0',
    '{"a": 1.50}',
    '[1]',
    'true',
    '""',
  ]) {
    it(`keeps what the engine wrote: ${json}`, () => {
      const variables = `{"adapterId":"a","topic":"t","message":${json}}`
      assert.equal(parse('kafka', variables).message, json)
      assert.equal(parse('rocketmq', variables).message, json)
    })
  }

  it('is, where absent, all other variables as one object, with the digits of the engine', () => {
    const variables =
      '{"adapterId":"a","topic":"t","id":9223372036854775807,"key":"k","price":100.0,"订单":{"n":9007199254740993},"requestId":"r"}'
    assert.equal(
      parse('kafka', variables).message,
      '{"id":9223372036854775807,"price":100.0,"订单":{"n":9007199254740993}}',
    )
  })

  it('is, where absent, not changed by the error that an earlier try left', () => {
    const error = { code: 'BROKER_TIMEOUT', description: 'no answer', retryable: true, requestId: 'r-1' }
    const variables = { ...REQUIRED, id: 1 }
    const first = kafka({ id: 1 }).message
    assert.equal(kafka({ ...variables, error }).message, first)
  })

  it('is, where absent, with an error variable that is the own one of the process', () => {
    for (const error of ['late', { code: 'LATE' }, { code: 'BROKER_TIMEOUT', by: 'me' }, null]) {
      assert.deepEqual(JSON.parse(kafka({ error }).message), { error })
    }
  })

  it('null is a tombstone for Kafka', () => {
    assert.equal(kafka({ message: null }).message, 'null')
  })

  it('null is refused for RocketMQ', () => {
    assert.match(
      refusal(() => rocketmq({ message: null })),
      /^message is null.*give it one/,
    )
  })
})

describe('the request id', () => {
  const idOf = (given: unknown) => {
    const job = jobWith({ variables: JSON.stringify({ requestId: given }) })
    return requestIdOf(new InputReader(job)) ?? defaultRequestIds('engine-a')(job)
  }

  it('is the given one', () => {
    assert.equal(idOf('order-7/1'), 'order-7/1')
  })

  it('is by default the same UUID on every delivery of a job', () => {
    const again = jobWith({ retries: 1, variables: '{"error":{}}', deadline: 0 })
    assert.equal(defaultRequestIds('engine-a')(again), idOf(undefined))
    assert.ok(validate(idOf(undefined)))
  })

  it('differs by job and by engine', () => {
    const ids = [
      defaultRequestIds('a')(jobWith({ key: '1' })),
      defaultRequestIds('a')(jobWith({ key: '2' })),
      defaultRequestIds('b')(jobWith({ key: '1' })),
    ]
    assert.equal(new Set(ids).size, 3)
  })

  it('has the order of the job keys', () => {
    const keys = ['9', '10', '2251799813685249', '2251799813685250', '9223372036854775807']
    const ids = keys.map((key) => defaultRequestIds('engine-a')(jobWith({ key })))
    assert.deepEqual(ids.toSorted(), ids)
  })

  for (const given of [5, 'a b', 'a\nb', 'é', 'x'.repeat(201)]) {
    it(`is refused as ${JSON.stringify(given).slice(0, 20)}`, () => {
      assert.match(
        refusal(() => idOf(given)),
        /^requestId is .*: it must be /,
      )
    })
  }
})

describe('retryBackoff', () => {
  const backOff = (retryBackoff: string) => retryBackOffOf(jobWith({ headers: { retryBackoff } }))

  it('is 30 s by default', () => {
    assert.equal(retryBackOffOf(jobWith()), 30_000)
    assert.equal(backOff(''), 30_000)
  })

  it('is an ISO-8601 duration', () => {
    assert.equal(backOff('PT5S'), 5000)
    assert.equal(backOff('PT1M30.5S'), 90_500)
    assert.equal(backOff('P1DT2H'), 26 * 3_600_000)
    assert.equal(backOff('P1W'), 7 * 24 * 3_600_000)
    assert.equal(backOff('PT0S'), 0)
  })

  for (const given of ['30', 'P', 'PT', '5s', 'P1M', 'PT-5S', 'P1DT']) {
    it(`is refused as ${given}, naming the cure`, () => {
      assert.match(
        refusal(() => backOff(given)),
        /^retryBackoff is .*PT30S$/,
      )
    })
  }
})

describe('variables that are no JSON object', () => {
  it('are bad input', () => {
    for (const text of ['', '[]', '{"a":', '5']) {
      assert.match(
        refusal(() => parse('kafka', text)),
        /the variables of the job are no JSON object/,
      )
    }
  })
})

function parse(kind: string, variables: string, headers: Record<string, string> = {}): JobInput {
  return parseJobInput(new InputReader(jobWith({ variables, headers })), driverOf(drivers, kind))
}

function kafka(inputs: Record<string, unknown>): JobInput {
  return parse('kafka', JSON.stringify({ ...REQUIRED, ...inputs }))
}

function rocketmq(inputs: Record<string, unknown>): JobInput {
  return parse('rocketmq', JSON.stringify({ ...REQUIRED, ...inputs }))
}

/** The message of the refusal, which must be one of bad input. */
function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof RelayError, String(error))
    assert.equal(error.code, 'INPUT_INVALID')
    assert.equal(error.outcome, 'rejected')
    return error.message
  }
  assert.fail('it was taken')
}
