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

  it('comes back when its turn is due, where that is known', () => {
    const error = new RelayError('ADAPTER_RATE_LIMITED', 'because', { retryAfterMs: 1234 })
    const settlement = settle(failureOf(error), jobWith({ retries: 3 }))
    assert.equal(settlement.kind === 'fail' && settlement.backOffMs, 1234)
  })
})

describe('a job whose task has expressions', () => {
  const result = { requestId: 'r-1', topic: 't', partition: 0, offset: 5, timestamp: 6 }
  const published: Outcome = { kind: 'published', result, repeated: false }
  const rejected = failureOf(new RelayError('TOPIC_UNKNOWN', 'because'))

  it('completes with the variables of resultExpression beside and over resultVariable', () => {
    const headers = { resultVariable: 'receipt', resultExpression: '={offset: offset}' }
    const merged = { receipt: result, offset: 5 }
    assert.deepEqual(settle(published, jobWith({ headers })), { kind: 'complete', variables: merged })
    const over = { resultVariable: 'receipt', resultExpression: '={receipt: offset}' }
    const variables = { receipt: 5 }
    assert.deepEqual(settle(published, jobWith({ headers: over })), { kind: 'complete', variables })
  })

  it('ends with a BPMN error after a failure', () => {
    const headers = { errorExpression: '=bpmnError(error.code, error.description, {why: error.requestId})' }
    assert.deepEqual(settle(rejected, jobWith({ headers })), {
      kind: 'bpmnError',
      code: 'TOPIC_UNKNOWN',
      message: 'because',
      variables: { why: 'r-1' },
    })
  })

  for (const [how, repeated] of [
    ['sent now', false],
    ['sent by an earlier delivery', true],
  ] as const) {
    it(`ends with a BPMN error after a success, ${how}`, () => {
      const headers = { errorExpression: '=if response.offset > 4 then bpmnError("LATE") else null' }
      const settlement = settle({ ...published, repeated }, jobWith({ headers }))
      assert.deepEqual(settlement, { kind: 'bpmnError', code: 'LATE', message: '', variables: {} })
    })
  }

  it('fails by jobError with the retries and the pause it gives, and keeps the error for the process', () => {
    const headers = { errorExpression: '=jobError("no topic", {extra: 1}, job.retries - 1, @"PT2S")' }
    assert.deepEqual(settle(rejected, jobWith({ headers, retries: 3 })), {
      kind: 'fail',
      retries: 2,
      backOffMs: 2000,
      message: 'no topic',
      variables: {
        error: { code: 'TOPIC_UNKNOWN', description: 'because', retryable: false, requestId: 'r-1' },
        extra: 1,
      },
    })
  })

  it('completes by ignoreError with its variables alone', () => {
    const headers = { resultVariable: 'receipt', errorExpression: '=ignoreError({ignored: true})' }
    for (const outcome of [published, rejected]) {
      const settlement = settle(outcome, jobWith({ headers }))
      assert.deepEqual(settlement, { kind: 'complete', variables: { ignored: true } })
    }
  })

  it('keeps the codes of BPMN errors whole and cuts their message to what an engine takes', () => {
    const headers = { errorExpression: '=bpmnError(error.description, error.description)' }
    const long = failureOf(new RelayError('INPUT_INVALID', 'x'.repeat(5000)))
    const settlement = settle(long, jobWith({ headers }))
    assert.ok(settlement.kind === 'bpmnError' && settlement.code.length === 5000)
    const doubled = { errorExpression: '=bpmnError("A", error.description + error.description)' }
    const longer = settle(long, jobWith({ headers: doubled }))
    assert.ok(longer.kind === 'bpmnError' && longer.message.length === 6000)
  })

  it('stays on hold whatever they say', () => {
    const headers = { errorExpression: '=bpmnError("A")' }
    const { retries, backOffMs } = failing('ADAPTER_DISABLED', jobWith({ headers, retries: 3 }))
    assert.deepEqual({ retries, backOffMs }, { retries: 3, backOffMs: HOLD_MS })
  })

  it('becomes an incident when one turns out wrong after the publish, which is named', () => {
    const settlement = settle(published, jobWith({ headers: { resultExpression: '=offset' } }))
    assert.ok(settlement.kind === 'fail')
    assert.equal(settlement.retries, 0)
    assert.match(settlement.message, /^EXPRESSION_INVALID: resultExpression: it gives 5, .*\noffset\n/)
    assert.match(settlement.message, /The message is published, and not sent again for this job\./)
  })

  it('becomes an incident when one turns out wrong after a failure, which is named', () => {
    const settlement = failing('BROKER_TIMEOUT', jobWith({ headers: { errorExpression: '=error.code' } }))
    assert.equal(settlement.retries, 0)
    assert.match(settlement.message, /^EXPRESSION_INVALID: errorExpression: /)
    assert.match(settlement.message, /The publish itself: BROKER_TIMEOUT: because/)
  })
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
