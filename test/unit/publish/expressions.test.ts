import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RelayError } from '../../../src/core/errors.js'
import { type ErrorInfo, taskExpressions, type Verdict } from '../../../src/publish/expressions.js'

const response = { requestId: 'r-1', topic: 'orders', partition: 2, offset: 7, timestamp: 8 }
const error: ErrorInfo = {
  code: 'TOPIC_UNKNOWN',
  description: 'there is no topic "orders"',
  retryable: false,
  requestId: 'r-1',
}

describe('a resultExpression', () => {
  it('makes variables of the response and of its fields', () => {
    assert.deepEqual(variablesBy('={place: topic + "/" + string(partition), whole: response}'), {
      place: 'orders/2',
      whole: response,
    })
  })

  it('makes no variables where the task has none', () => {
    assert.deepEqual(taskExpressions({}).variablesOf(response), {})
    assert.deepEqual(variablesBy(' '), {})
  })

  it('gives null for what the response lacks', () => {
    assert.deepEqual(variablesBy('={queue: response.queueId}'), { queue: null })
  })

  for (const [expression, value] of [
    ['=offset', '7'],
    ['=[topic]', '["orders"]'],
    ['="text"', '"text"'],
    ['=null', 'null'],
  ] as const) {
    it(`is refused when it gives no context: ${expression}`, () => {
      const { code, message } = caught(() => variablesBy(expression))
      assert.equal(code, 'EXPRESSION_INVALID')
      assert.ok(message.startsWith(`resultExpression: it gives ${value}, but must give a context`), message)
      assert.ok(message.endsWith(`\n${expression.slice(1)}`), message)
    })
  }

  it('is shown where a name in it is unknown', () => {
    const { message } = caught(() => variablesBy('=response.receipt'))
    assert.match(message, /^resultExpression, line 1, column 10: it gives null, .*Key 'receipt' not found/)
  })

  it('knows no functions for errors', () => {
    const { message } = caught(() => taskExpressions({ resultExpression: '=bpmnError("A")' }))
    assert.match(message, /^resultExpression, line 1, column 1: there is no function "bpmnError"/)
  })
})

describe('an errorExpression', () => {
  it('knows the error by code, description, retryable and request id', () => {
    const fields =
      'error.code + " " + error.description + " " + string(error.retryable) + " " + error.requestId'
    const verdict = onError(`=ignoreError({all: ${fields}})`)
    assert.deepEqual(verdict?.variables, { all: 'TOPIC_UNKNOWN there is no topic "orders" false r-1' })
  })

  it('knows the description by the name Camunda gives it, too', () => {
    assert.deepEqual(onError('=ignoreError({why: error.message})')?.variables, { why: error.description })
  })

  it('knows the retries that are left', () => {
    assert.deepEqual(onError('=ignoreError({left: job.retries})')?.variables, { left: 3 })
  })

  it('has a response after a success and no error, after a failure the reverse', () => {
    const expression = '=ignoreError({response: response != null, error: error != null, topic: topic})'
    assert.deepEqual(onSuccess(expression)?.variables, { response: true, error: false, topic: 'orders' })
    assert.deepEqual(onError(expression)?.variables, { response: false, error: true, topic: null })
  })

  it('leaves the job to the rule when it gives null', () => {
    assert.equal(onError('=if error.code = "BROKER_TIMEOUT" then bpmnError("LATE") else null'), undefined)
    assert.equal(onSuccess('=null'), undefined)
  })

  it('leaves the job to the rule where the task has none', () => {
    assert.equal(taskExpressions({}).verdictOn({ response: null, error }, 3), undefined)
    assert.equal(onError(''), undefined)
  })

  const verdicts: [expression: string, verdict: Verdict][] = [
    ['bpmnError("A")', { kind: 'bpmnError', code: 'A', message: '', variables: {} }],
    ['bpmnError(" A ", "m")', { kind: 'bpmnError', code: ' A ', message: 'm', variables: {} }],
    [
      'bpmnError("A", "m", {at: date("2026-01-31")})',
      { kind: 'bpmnError', code: 'A', message: 'm', variables: { at: '2026-01-31' } },
    ],
    [
      'bpmnError(variables: {a: null}, code: error.code)',
      { kind: 'bpmnError', code: 'TOPIC_UNKNOWN', message: '', variables: { a: null } },
    ],
    ['jobError("m")', { kind: 'jobError', message: 'm', variables: {}, retries: 0, backOffMs: 0 }],
    [
      'jobError("m", {a: 1})',
      { kind: 'jobError', message: 'm', variables: { a: 1 }, retries: 0, backOffMs: 0 },
    ],
    [
      'jobError("m", {}, job.retries - 1)',
      { kind: 'jobError', message: 'm', variables: {}, retries: 2, backOffMs: 0 },
    ],
    [
      'jobError("m", null, job.retries - 4, @"PT1M30S")',
      { kind: 'jobError', message: 'm', variables: {}, retries: 0, backOffMs: 90_000 },
    ],
    [
      'jobError(message: "m", retryBackoff: "PT0.5S")',
      { kind: 'jobError', message: 'm', variables: {}, retries: 0, backOffMs: 500 },
    ],
    ['ignoreError({a: 1})', { kind: 'ignoreError', variables: { a: 1 } }],
    ['ignoreError()', { kind: 'ignoreError', variables: {} }],
  ]
  for (const [expression, verdict] of verdicts) {
    it(`decides by ${expression}`, () => {
      assert.deepEqual(onError(`=${expression}`), verdict)
    })
  }

  const wrong: [expression: string, reason: string][] = [
    ['bpmnError(404)', 'bpmnError has 404 as its code: it must be a text that is not empty'],
    ['bpmnError("")', 'bpmnError has "" as its code'],
    ['bpmnError()', 'bpmnError has null as its code'],
    ['bpmnError("A", 1)', 'bpmnError has 1 as its message: it must be a text'],
    ['bpmnError("A", "m", "v")', 'bpmnError has "v" as its variables: it must be a context'],
    ['jobError("m", {}, 1.5)', 'jobError has 1.5 as its retries: it must be a whole number'],
    [
      'jobError("m", {}, 1, 30)',
      'jobError has 30 as its retryBackoff: it must be a duration such as @"PT30S"',
    ],
    ['jobError("m", {}, 1, @"P1M")', 'jobError has "P1M" as its retryBackoff'],
    ['ignoreError([1])', 'ignoreError has [1] as its variables'],
    [
      'error.code',
      'it gives "TOPIC_UNKNOWN", but must give bpmnError(…), jobError(…), ignoreError(…) or null',
    ],
    ['{code: "A"}', 'it gives {"code":"A"}, but must give bpmnError(…)'],
    ['error != null', 'it gives true, but must give bpmnError(…)'],
  ]
  for (const [expression, reason] of wrong) {
    it(`is refused, quoted, for ${expression}`, () => {
      const { code, message } = caught(() => onError(`=${expression}`))
      assert.equal(code, 'EXPRESSION_INVALID')
      assert.ok(message.includes(`: ${reason}`), message)
      assert.ok(message.endsWith(`\n${expression}`), message)
    })
  }
})

describe('the expressions of a task', () => {
  for (const header of ['resultExpression', 'errorExpression']) {
    it(`are refused as soon as they are read, ${header} for instance`, () => {
      const { message } = caught(() => taskExpressions({ [header]: '={a: ' }))
      assert.ok(message.startsWith(`${header}, line 1, column 4: the expression ends too early`), message)
    })
  }

  it('are told apart by header though their text is the same', () => {
    const text = '=if topic = null then bpmnError("A") else null'
    assert.ok(taskExpressions({ errorExpression: text }))
    assert.match(caught(() => taskExpressions({ resultExpression: text })).message, /no function "bpmnError"/)
  })
})

function variablesBy(resultExpression: string): Record<string, unknown> {
  return taskExpressions({ resultExpression }).variablesOf(response)
}

function onError(errorExpression: string): Verdict | undefined {
  return taskExpressions({ errorExpression }).verdictOn({ response: null, error }, 3)
}

function onSuccess(errorExpression: string): Verdict | undefined {
  return taskExpressions({ errorExpression }).verdictOn({ response, error: null }, 3)
}

function caught(run: () => unknown): RelayError {
  try {
    run()
  } catch (thrown) {
    assert.ok(thrown instanceof RelayError)
    return thrown
  }
  return assert.fail('nothing was thrown')
}
