import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RelayError } from '../../../src/core/errors.js'
import { feelExpression } from '../../../src/core/feel.js'

const value = (text: string, variables: Record<string, unknown> = {}): unknown =>
  feelExpression('x', text).evaluate(variables).value

describe('a FEEL expression', () => {
  it('may begin with the = that modelers write', () => {
    assert.equal(value('=1 + 1'), 2)
    assert.equal(value(' = 1 + 1'), 2)
    assert.equal(value('1 + 1'), 2)
  })

  it('takes an unknown variable for null', () => {
    assert.equal(value('nobody'), null)
    assert.deepEqual(value('{a: nobody.name, b: nobody = null}'), { a: null, b: true })
  })

  it('takes an operation that types forbid for null', () => {
    assert.equal(value('1 + "a"'), null)
  })

  it('may define its own functions and loops', () => {
    assert.deepEqual(value('{twice: function(n) 2 * n, four: twice(2)}.four'), 4)
    assert.deepEqual(value('for f in [function(n) n + 1] return f(2)'), [3])
  })

  it("has Camunda's functions against missing values", () => {
    assert.equal(value('get or else(nobody, "none")'), 'none')
    assert.equal(value('get or else(name, "none")', { name: 'Li' }), 'Li')
    assert.deepEqual(value('[is defined(nobody), is defined(name)]', { name: 'Li' }), [false, true])
  })

  it('computes in doubles', () => {
    assert.equal(value('9007199254740993 + 0'), 9_007_199_254_740_992)
  })
})

describe('the value of a FEEL expression', () => {
  const texts: [expression: string, text: string][] = [
    ['date("2026-01-31")', '2026-01-31'],
    ['time("10:30:00")', '10:30:00'],
    ['date and time("2026-01-31T10:30:00Z")', '2026-01-31T10:30:00Z'],
    ['date and time("2026-01-31T10:30:00+08:00")', '2026-01-31T10:30:00+08:00'],
    ['date and time("2026-07-31T10:30:00@Europe/Paris")', '2026-07-31T10:30:00+02:00[Europe/Paris]'],
    ['duration("P1Y2M")', 'P1Y2M'],
    ['@"PT90S"', 'PT1M30S'],
  ]
  for (const [expression, text] of texts) {
    it(`is ISO text: ${expression}`, () => {
      assert.deepEqual(value(`{at: [${expression}]}`), { at: [text] })
    })
  }

  for (const [what, expression] of [
    ['a range', '{a: [1..3]}'],
    ['a function', '{a: function(x) x}'],
    ['a function', 'string length'],
    ['Infinity', '10**400'],
  ] as const) {
    it(`cannot be ${what}, which JSON does not have: ${expression}`, () => {
      const error = caught(() => value(expression))
      assert.ok(error.message.startsWith(`x: it gives ${what}, which JSON does not have`), error.message)
    })
  }
})

describe('a wrong FEEL expression is refused before it is evaluated', () => {
  const cases: [what: string, text: string, line: number, column: number, reason: string][] = [
    ['that ends too early', '{a: ', 1, 4, 'the expression ends too early'],
    ['without a closing brace', '{a: 1', 1, 6, 'the expression ends too early'],
    ['that is empty', '=', 1, 1, 'the expression ends too early'],
    ['with single quotes', "{a: 'x'}", 1, 5, 'this cannot stand here'],
    ['without a comma', '{x: 1\n y: 2}', 2, 2, 'this cannot stand here'],
    ['with an unknown function', '1 +\n  foo(2)', 2, 3, 'there is no function "foo"'],
    ['with one in the branch not taken', 'if true then 1 else foo(2)', 1, 21, 'there is no function "foo"'],
    ['with an unknown function of several words', 'foo  bar(1)', 1, 1, 'there is no function "foo bar"'],
    ['with too many parameters', 'is defined(1, 2)', 1, 1, 'is defined takes (value) and no more'],
  ]
  for (const [what, text, line, column, reason] of cases) {
    it(what, () => {
      const { code, message } = caught(() => feelExpression('resultExpression', text))
      assert.equal(code, 'EXPRESSION_INVALID')
      const place = `resultExpression, line ${line}, column ${column}: ${reason}`
      assert.ok(message.startsWith(place), message)
    })
  }

  it('with the line quoted and the place pointed at', () => {
    const { message } = caught(() => feelExpression('x', '{\n  a: foo(1)\n}'))
    assert.deepEqual(message.split('\n').slice(1), ['  a: foo(1)', '     ^'])
  })

  it('with a long line cut around the place', () => {
    const { message } = caught(() =>
      feelExpression('x', `"${'-'.repeat(1000)}" + foo(1) + "${'-'.repeat(1000)}"`),
    )
    const [, line = '', caret = ''] = message.split('\n')
    assert.equal(line.length, 120)
    assert.equal(line.indexOf('foo(1)'), caret.indexOf('^'))
  })
})

describe('a FEEL expression that turns out wrong on evaluation', () => {
  for (const [what, text, column] of [
    ['a call of what is no function', 'given.name(1)', 1],
    ['a call with too many parameters', '1 + string length("a", "b")', 5],
  ] as const) {
    it(`is refused at the place: ${what}`, () => {
      const expression = feelExpression('x', text)
      const { code, message } = caught(() => expression.evaluate({ given: { name: 'Li' } }))
      assert.equal(code, 'EXPRESSION_INVALID')
      assert.ok(message.startsWith(`x, line 1, column ${column}: `), message)
    })
  }

  it('can be refused by its receiver, with what went wrong on the way', () => {
    const { value: given, wrong } = feelExpression('x', 'order.id').evaluate({ order: {} })
    assert.equal(given, null)
    assert.match(wrong('it gives null').message, /^x, line 1, column 7: it gives null \(Key 'id' not found/)
  })

  it('can be refused by its receiver, quoted', () => {
    assert.equal(feelExpression('x', '=2 * 3').evaluate({}).wrong('no 6').message, 'x: no 6\n2 * 3')
  })
})

function caught(run: () => unknown): RelayError {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof RelayError)
    return error
  }
  return assert.fail('nothing was thrown')
}
