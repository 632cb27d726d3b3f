import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brokerDrivers } from '../../../src/brokers/registry.js'
import { placeText, readDeclarations } from '../../../src/modules/declarations.js'

const ADAPTER = 'adapters:\n  - name: orders\n    kind: kafka\n    address: kafka:9092\n'

function read(...texts: string[]) {
  const sources = texts.map((text, index) => ({ file: `${index + 1}.yaml`, text, folder: '.' }))
  return readDeclarations(sources, brokerDrivers())
}

function told(findings: ReturnType<typeof read>['problems']): string {
  return findings.map(({ place, message }) => `${placeText(place)} ${message}`).join('\n')
}

describe('files for apply', () => {
  it('declare what is in all documents of all files', () => {
    const { all, problems } = read(
      `${ADAPTER}---\nvariables:\n  - name: A\n    value: a\n---\n`,
      'notifiers:\n',
    )
    assert.equal(told(problems), '')
    assert.deepEqual(
      all.map(({ section, name }) => `${section} ${name}`),
      ['adapters orders', 'variables A'],
    )
  })

  it('may repeat themselves by anchors', () => {
    const text = `${ADAPTER}    settings: &s {acks: leader}\n  - name: news\n    kind: kafka\n    address: a:1\n    settings: *s\n`
    assert.deepEqual(read(text).all[1]?.item.settings, { acks: 'leader' })
  })

  it('are told of all that is wrong with them at once', () => {
    const { problems } = read(`${ADAPTER}    adress: x\n    enabled: yes\n`, 'triggers: 3\nadapter: []\n')
    assert.equal(problems.length, 4)
  })

  const wrong: [what: string, text: string, place: string, message: RegExp][] = [
    ['what is no YAML', 'adapters: [', '1:12', /^not YAML/],
    ['a name that stands twice', 'variables: []\nvariables: []', '2:1', /same name stands twice/],
    [
      'a document that is no object',
      'hello',
      '1:1',
      /"hello": make it an object with some of variables, adapters/,
    ],
    ['an unknown section', 'adapter: []', '1:1', /^adapter is not known: .* variables, adapters/],
    ['a section that is no list', 'adapters: {name: a}', '1:1', /adapters is \{"name":"a"\}: make it a list/],
    [
      'an item that is no object',
      'adapters:\n  - orders',
      '2:5',
      /adapters\[0\] is "orders": make it an object/,
    ],
    [
      'an unknown field',
      `${ADAPTER}    adress: x`,
      '5:5',
      /adapters\[0\]\.adress is not known: .*\baddress\b/,
    ],
    ['a missing field', 'adapters:\n  - name: a\n    kind: kafka', '2:5', /adapters\[0\] has no address/],
    ['a wrong type', `${ADAPTER}    enabled: yes`, '5:5', /enabled is "yes": use true or false/],
    [
      'a number for a text',
      'adapters: [{name: 1, kind: kafka, address: a}]',
      '1:13',
      /name is 1: use a text, in quotes/,
    ],
    [
      'a value that is not one of a list',
      `${ADAPTER}    keySerialization: xml`,
      '5:5',
      /"xml": use one of string, /,
    ],
    [
      'a number out of its range',
      `${ADAPTER}    settings: {retries: -1}`,
      '5:16',
      /settings\.retries is -1: use a number >= 0/,
    ],
    [
      'an unknown setting',
      `${ADAPTER}    settings:\n      ssl: {enable: true}`,
      '6:13',
      /ssl\.enable is not known: .*enabled/,
    ],
    [
      'a number beyond a double',
      `${ADAPTER}    settings: {retries: 99999999999999999999}`,
      '5:16',
      /retries/,
    ],
    [
      'an unknown action',
      'triggers: [{name: a, adapter: b, action: {kind: strt}}]',
      '1:43',
      /action\.kind is "strt": use one of start, message, forward/,
    ],
    [
      'a field of another action',
      'triggers: [{name: a, adapter: b, action: {kind: start, processId: p, topic: x}}]',
      '1:70',
      /action\.topic is not known: .*kind, processId, version/,
    ],
    [
      'a thing declared twice',
      `${ADAPTER}${ADAPTER.replace('adapters:\n', '')}`,
      '5:5',
      /"orders" is declared already at 1\.yaml:2:5/,
    ],
  ]
  for (const [what, text, place, message] of wrong) {
    it(`are refused with ${what}, at its place`, () => {
      const [problem, ...others] = read(text).problems
      assert.ok(problem, 'nothing is refused')
      assert.equal(placeText(problem.place), `1.yaml:${place}`)
      assert.match(problem.message, message)
      assert.deepEqual(others, [])
    })
  }

  it('are not refused for a type that a variable will have', () => {
    assert.equal(
      told(read(`${ADAPTER}    settings: {retries: '@env(RETRIES)', flush: {bytes: '7'}}`).problems),
      '',
    )
  })

  it('are refused without showing what may be a secret', () => {
    const settings = '    settings: {sasl: {pasword: hush-hush, password: {a: hush-hush}}, clientId: {x: 1}}'
    const { problems } = read(`${ADAPTER}${settings}`, 'variables: [{name: A, secret: true, value: 123456}]')
    assert.ok(problems.length >= 4)
    assert.doesNotMatch(told(problems), /hush|123456/)
  })

  it('are warned of secrets in clear text, not of references and of what is kept', () => {
    const sasl = (password: string) => `    settings: {sasl: {username: u, password: ${password}}}`
    assert.match(
      told(read(ADAPTER + sasl('hush')).warnings),
      /5:36 .*sasl\.password is a secret in clear text/,
    )
    assert.equal(told(read(ADAPTER + sasl("'@env(A)'")).warnings), '')
    assert.equal(told(read(ADAPTER + sasl('(secret)')).warnings), '')
    assert.match(told(read('variables: [{name: A, secret: true, value: x}]').warnings), /valueFrom\.env/)
  })
})
