import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { membersOf, objectOf } from '../../../src/core/json.js'

describe('the members of a JSON object', () => {
  it('keep every digit of every number', () => {
    const numbers = [
      '9223372036854775807',
      '-9223372036854775808',
      '9007199254740993',
      '100.0',
      '1e400',
      '-0',
    ]
    for (const number of numbers) {
      assert.equal(membersOf(`{"n":${number}}`).get('n'), number)
    }
  })

  it('are found past strings that hold quotes, backslashes, commas and braces', () => {
    const value = { a: '"}', b: '\\', c: '\\"', d: 'x,y', e: ']{[' }
    const members = membersOf(JSON.stringify(value))
    assert.deepEqual(
      [...members],
      Object.entries(value).map(([name, text]) => [name, JSON.stringify(text)]),
    )
  })

  it('keep nested objects and lists as they are written, blanks included', () => {
    const members = membersOf('{ "o" : { "a": [1, {"b": "}"}] } ,\n "l": [ [ ], {} ]\t}')
    assert.equal(members.get('o'), '{ "a": [1, {"b": "}"}] }')
    assert.equal(members.get('l'), '[ [ ], {} ]')
  })

  it('have names with their escapes undone', () => {
    assert.deepEqual(
      [...membersOf('{"a\\"b":1,"\\u00e9":2,"订单":3,"😀":4}').keys()],
      ['a"b', 'é', '订单', '😀'],
    )
  })

  it('count once where a name is repeated, with the last value', () => {
    assert.deepEqual(
      [...membersOf('{"a":1,"b":2,"a":3}')],
      [
        ['a', '3'],
        ['b', '2'],
      ],
    )
  })

  it('may bear the names of built-in properties', () => {
    assert.deepEqual([...membersOf('{"__proto__":1,"constructor":2}').keys()], ['__proto__', 'constructor'])
  })

  it('are none in an empty object', () => {
    assert.equal(membersOf(' { } ').size, 0)
  })

  const malformed = [
    '',
    ' ',
    'null',
    '[]',
    '"{}"',
    '{',
    '{"a"',
    '{"a":',
    '{"a":}',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{a:1}',
    '{,}',
    '{"a" 1}',
    '{"a":"x}',
    '{"a":[1}',
    '{"a":1]',
    '{"a":1]"b":2}',
    '{"a":{}',
    '{}x',
    '{"a":1}{}',
    '{"a":1} x',
    '{"\\x":1}',
  ]
  for (const text of malformed) {
    it(`are refused in ${JSON.stringify(text)}`, () => {
      assert.throws(() => membersOf(text), SyntaxError)
    })
  }

  it('are found in half a megabyte of backslashes without going over them again and again', () => {
    const text = JSON.stringify({ a: '\\'.repeat(250_000), b: '"'.repeat(250_000) })
    assert.deepEqual(objectOf(membersOf(text)), text)
  })
})

describe('an object made of members', () => {
  it('is what it was taken from', () => {
    const text = '{"订单":9007199254740993,"a\\"b":[1.50,{"c":null}],"":"x"}'
    assert.equal(objectOf(membersOf(text)), text)
  })

  it('is an empty object without any', () => {
    assert.equal(objectOf([]), '{}')
  })
})
