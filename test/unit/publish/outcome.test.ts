import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERRORS, type ErrorCode, RelayError, toRelayError } from '../../../src/core/errors.js'
import type { Job, Settlement } from '../../../src/engine/engine.js'
import { taskExpressions } from '../../../src/publish/expressions.js'
import {
  failureOf,
  type Outcome,
  resultOf,
  settlementOf,
  storedResult,
} from '../../../src/publish/outcome.js'
import { jobWith } from '../../helpers/job.js'

const RETRY_BACK_OFF_MS = 30_000
const HOLD_MS = 7000
const permanent: ErrorCode[] = [
  'INPUT_INVALID',
  'ADAPTER_UNKNOWN',
  'ADAPTER_WRONG_KIND',
  'ENV_UNKNOWN',
  'VALUE_NOT_SERIALIZABLE',
  'MESSAGE_TOO_LARGE',
  'TOPIC_UNKNOWN',
  'TOPIC_INVALID',
  'PARTITION_UNKNOWN',
  'NOT_AUTHORIZED',
]
const transient: ErrorCode[] = ['BROKER_TIMEOUT', 'BROKER_UNREACHABLE', 'BROKER_UNAVAILABLE']
const notTheMessages: ErrorCode[] = ['ADAPTER_DISABLED', 'ADAPTER_UNANSWERING', 'DATABASE_AWAY']

describe('a job whose message was published', () => {
  const result = { requestId: 'r-1', topic: 't', partition: 0, offset: 5, timestamp: 6 }

  it('completes with the result in the variable the task names', () => {
    const job = jobWith({ headers: { resultVariable: 'receipt' } })
    assert.deepEqual(settle({ kind: 'published', result, repeated: false }, job), {
      kind: 'complete',
      variables: { receipt: result },
    })
  })

  it('completes without variables where the task names none', () => {
    for (const headers of [{}, { resultVariable: '' }]) {
      const settlement = settle({ kind: 'published', result, repeated: true }, jobWith({ headers }))
      assert.deepEqual(settlement, { kind: 'complete', variables: {} })
    }
  })
})

describe('a job whose message can never be sent', () => {
  for (const code of permanent) {
    it(`becomes an incident at once: ${code}`, () => {
      const { retries, backOffMs } = failing(code, jobWith({ retries: 3 }))
      assert.deepEqual({ retries, backOffMs }, { retries: 0, backOffMs: 0 })
    })
  }
})

describe('a job that met a passing failure', () => {
  for (const code of transient) {
    it(`loses one retry and comes back after retryBackoff: ${code}`, () => {
      const { retries, backOffMs } = failing(code, jobWith({ retries: 3 }))
      assert.deepEqual({ retries, backOffMs }, { retries: 2, backOffMs: RETRY_BACK_OFF_MS })
    })
  }

  it('becomes an incident with its last retry', () => {
    assert.equal(failing('BROKER_TIMEOUT', jobWith({ retries: 1 })).retries, 0)
    assert.equal(failing('BROKER_TIMEOUT', jobWith({ retries: 0 })).retries, 0)
  })
})

describe('a job that is held', () => {
  for (const code of notTheMessages) {
    it(`keeps its retries and stays away for the hold time: ${code}`, () => {
      const { retries, backOffMs } = failing(code, jobWith({ retries: 3 }))
      assert.deepEqual({ retries, backOffMs }, { retries: 3, backOffMs: HOLD_MS })
    })
  }
})

describe('a job that did not succeed', () => {
  it('tells people the code, the reason and the request id', () => {
    assert.equal(failing('TOPIC_UNKNOWN').message, 'TOPIC_UNKNOWN: because (request r-1)')
  })

  for (const code of ['TOPIC_UNKNOWN', 'BROKER_TIMEOUT', 'DATABASE_AWAY'] as const) {
    it(`tells the process the same in the variable error: ${code}`, () => {
      const retryable = ERRORS[code].outcome !== 'rejected'
      assert.deepEqual(failing(code).variables, {
        error: { code, description: 'because', retryable, requestId: 'r-1' },
      })
    })
  }

  it('has its reason cut to what an engine takes', () => {
    const error = new RelayError('INPUT_INVALID', 'x'.repeat(100_000))
    const settlement = settle(failureOf(error))
    assert.ok(settlement.kind === 'fail' && settlement.message.length < 6200)
    assert.ok(JSON.stringify(settlement.variables).length < 6200)
  })

  it('by a fault nobody foresaw is tried again, as a fault of this program', () => {
    const outcome = failureOf(toRelayError(new TypeError('x is undefined')))
    assert.equal(outcome.kind, 'failed')
    assert.ok(outcome.kind === 'failed' && outcome.error.code === 'INTERNAL')
  })
})

describe('a result', () => {
  it('of Kafka names topic, partition, offset and timestamp', () => {
    const receipt = {
      kind: 'kafka',
      topic: 't',
      partition: 2,
      offset: '7',
      timestamp: '1767225600000',
    } as const
    assert.deepEqual(resultOf('r', receipt), {
      requestId: 'r',
      topic: 't',
      partition: 2,
      offset: 7,
      timestamp: 1_767_225_600_000,
    })
  })

  it('of RocketMQ names topic, message id, queue and offset in it', () => {
    const receipt = { kind: 'rocketmq', topic: 't', messageId: 'm', queueId: 1, queueOffset: '7' } as const
    assert.deepEqual(resultOf('r', receipt), {
      requestId: 'r',
      topic: 't',
      messageId: 'm',
      queueId: 1,
      queueOffset: 7,
    })
  })

  it('has an offset above 2^53 as text, so that it keeps its digits', () => {
    const offsetOf = (offset: string) =>
      resultOf('r', { kind: 'kafka', topic: 't', partition: 0, offset, timestamp: '0' }).offset
    assert.equal(offsetOf('9007199254740991'), 9_007_199_254_740_991)
    assert.equal(offsetOf('9007199254740993'), '9007199254740993')
    assert.equal(offsetOf('9223372036854775807'), '9223372036854775807')
  })

  it('has no offset where the broker gave none', () => {
    const receipt = { kind: 'kafka', topic: 't', partition: 0, offset: null, timestamp: '0' } as const
    assert.equal(resultOf('r', receipt).offset, null)
  })

  it('comes back from the ledger as it was', () => {
    const result = { requestId: 'r', topic: 't', partition: 0, offset: '9223372036854775807', timestamp: 1 }
    assert.deepEqual(storedResult(JSON.stringify(result)), result)
  })
})

function settle(outcome: Outcome, job: Job = jobWith()): Settlement {
  return settlementOf(outcome, job, {
    requestId: 'r-1',
    retryBackOffMs: RETRY_BACK_OFF_MS,
    holdMs: () => HOLD_MS,
    expressions: taskExpressions(job.headers),
  })
}

function failing(code: ErrorCode, job: Job = jobWith()) {
  const settlement = settle(failureOf(new RelayError(code, 'because')), job)
  assert.ok(settlement.kind === 'fail')
  return settlement
}
