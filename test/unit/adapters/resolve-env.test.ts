import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { envNamesIn, resolveEnv } from '../../../src/adapters/resolve-env.js'
import { RelayError } from '../../../src/core/errors.js'

const variables = new Map([
  ['HOST', 'kafka.example'],
  ['PORT', '9092'],
  ['TRICKY', '@env(HOST)'],
  ['DOLLAR', "$& $1 $$ $'"],
  ['EMPTY', ''],
])
const lookup = (name: string) => variables.get(name)
const inAddress = (text: string) => resolveEnv(text, lookup, 'address of adapter "orders"', true)
const inSetting = (text: string) => resolveEnv(text, lookup, 'setting password of adapter "orders"')

describe('@env(NAME)', () => {
  it('is replaced anywhere in a text, any number of times', () => {
    assert.equal(
      inAddress('@env(HOST):@env(PORT),b-@env(HOST)-2:@env(PORT)'),
      'kafka.example:9092,b-kafka.example-2:9092',
    )
  })

  it('may have blanks around its name', () => {
    assert.equal(inAddress('@env( HOST )'), 'kafka.example')
  })

  it('is replaced once: a value that looks like a formula stays as it is', () => {
    assert.equal(inAddress('@env(TRICKY)'), '@env(HOST)')
  })

  it('puts a value in as it is, whatever it holds', () => {
    assert.equal(inSetting('@env(DOLLAR)'), "$& $1 $$ $'")
    assert.equal(inSetting('<@env(EMPTY)>'), '<>')
  })

  it('is found inside what only looks like another formula', () => {
    assert.equal(inSetting('p@x(@env(PORT)'), 'p@x(9092')
    assert.equal(inSetting('p@x(a@env(PORT))'), 'p@x(a9092)')
  })

  it('of an unknown variable is an error that names it and the adapter', () => {
    const error = refusal(() => inAddress('@env(HOST):@env(PROT)'))
    assert.equal(error.code, 'ENV_UNKNOWN')
    assert.match(error.message, /"PROT"/)
    assert.match(error.message, /address of adapter "orders"/)
    assert.match(error.message, /bpmn-relay env set PROT/)
  })

  for (const text of ['@env()', '@env( )', '@env(', '@env(HOST', 'a @env(HOST b']) {
    it(`is refused as ${JSON.stringify(text)}, in any text`, () => {
      for (const resolve of [inAddress, inSetting]) {
        const error = refusal(() => resolve(text))
        assert.equal(error.code, 'SETTINGS_INVALID')
        assert.match(error.message, /write @env\(NAME\)/)
        assert.match(error.message, /adapter "orders"/)
      }
    })
  }
})

describe('@@env(', () => {
  it('stands for the text itself', () => {
    assert.equal(inAddress('@@env(HOST)'), '@env(HOST)')
    assert.equal(inSetting('a@@env(HOST)@env(PORT)'), 'a@env(HOST)9092')
  })
})

describe('another @word(', () => {
  it('is refused in an address, by its name and with the cure', () => {
    const error = refusal(() => inAddress('@evn(HOST):9092'))
    assert.equal(error.code, 'SETTINGS_INVALID')
    assert.match(error.message, /@evn\(/)
    assert.match(error.message, /@env\(NAME\)/)
    assert.equal(refusal(() => inAddress('@ENV(HOST)')).code, 'SETTINGS_INVALID')
  })

  it('can be escaped in an address', () => {
    assert.equal(inAddress('@@word(x)'), '@word(x)')
  })

  for (const password of [
    'p@ss(word',
    'p@ss(word)',
    'p@@ss(word)',
    '@@',
    'a@b.example',
    '@1(',
    '@env',
    'x@@y(',
  ]) {
    it(`is left alone in other strings: ${password}`, () => {
      assert.equal(inSetting(password), password)
    })
  }
})

describe('the variables a text refers to', () => {
  it('are all those that would be looked up, and no escaped one', () => {
    assert.deepEqual(envNamesIn('@env(A):@env( B )@@env(C) p@x(@env(D)'), ['A', 'B', 'D'])
  })
})

function refusal(act: () => unknown): RelayError {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof RelayError)
    return error
  }
  assert.fail('it was taken')
}
