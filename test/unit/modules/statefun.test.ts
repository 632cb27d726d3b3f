import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brokerDrivers } from '../../../src/brokers/registry.js'
import { placeText, readDeclarations } from '../../../src/modules/declarations.js'

/** In the form, and with the odd indentation, that descriptions of StateFun 2 have. */
const module = (spec: string) => `version: "1.0"

module:
    meta:
    type: remote
spec:
${spec}`

const INGRESS_2 = module(`    ingresses:
    - ingress:
        meta:
            type: statefun.kafka.io/routable-protobuf-ingress
            id: example/user-ingress
        spec:
            address: kafka-broker:9092
            consumerGroupId: routable-kafka-e2e
            startupPosition:
                type: earliest
            topics:
              - topic: messages-1
                typeUrl: org.apache.flink.statefun.docs.models.User
                targets:
                  - example-namespace/my-function-1
                  - example-namespace/my-function-2
`)

const EGRESS_2 = module(`    egresses:
      - egress:
          meta:
            type: statefun.kafka.io/generic-egress
            id: example/output-messages
          spec:
            address: kafka-broker:9092
            deliverySemantic:
              type: exactly-once
              transactionTimeoutMillis: 100000
            properties:
              - foo.config: bar
`)

const ingress3 = (
  more = '',
  topics = '[{topic: in, valueType: com.example/User, targets: [com.example/greet]}]',
) => `
kind: io.statefun.kafka.v1/ingress
spec:
  id: com.example/users
  address: kafka-broker:9092
  consumerGroupId: users
  topics: ${topics}
  ${more}
`
const egress3 = (more: string) => `
kind: io.statefun.kafka.v1/egress
spec:
  id: com.example/users
  address: kafka-broker:9092
  ${more}
`

function read(text: string) {
  const { all, problems, warnings } = readDeclarations(
    [{ file: 'm.yaml', text, folder: '.' }],
    brokerDrivers(),
  )
  const told = (findings: typeof problems) =>
    findings.map(({ place, message }) => `${placeText(place)} ${message}`).join('\n')
  return { items: all.map(({ item }) => item), problems: told(problems), warnings: told(warnings) }
}

describe('a StateFun ingress', () => {
  it('becomes an adapter, and a trigger for each topic and target with a group of its own', () => {
    const { items, problems } = read(INGRESS_2)
    assert.equal(problems, '')
    const trigger = {
      adapter: 'example.user-ingress',
      topics: ['messages-1'],
      initialOffset: 'latest',
      startupPosition: { type: 'earliest' },
    }
    const [first, second] = ['my-function-1', 'my-function-2'].map((processId) => ({
      name: `example.user-ingress.messages-1.${processId}`,
      description: `StateFun ingress example/user-ingress: messages-1 to example-namespace/${processId}`,
      ...trigger,
      action: { kind: 'start', processId },
    }))
    assert.deepEqual(items, [
      {
        name: 'example.user-ingress',
        kind: 'kafka',
        address: 'kafka-broker:9092',
        description: 'StateFun ingress example/user-ingress',
        settings: {},
        valueSerialization: 'bytes',
      },
      { ...first, group: 'routable-kafka-e2e' },
      { ...second, group: 'routable-kafka-e2e.messages-1.my-function-2' },
    ])
  })

  it('tells of its groups, and of values that it cannot read, each at its place', () => {
    const { warnings } = read(INGRESS_2)
    assert.match(warnings, /^m\.yaml:19:17 topic messages-1 .*models\.User as base64 text/m)
    assert.match(warnings, /^m\.yaml:14:13 consumer group routable-kafka-e2e is that of the first/m)
  })

  it('is read in the form of StateFun 3, with its properties where they belong', () => {
    const properties = `properties:
    - fetch.min.bytes: 2
    - client.id: relay
    - group.id: loses
    - foo.config: bar`
    const { items, problems, warnings } = read(ingress3(`autoOffsetResetPosition: earliest\n  ${properties}`))
    assert.equal(problems, '')
    assert.match(warnings, /m\.yaml:9:3 property foo\.config is none/)
    assert.doesNotMatch(warnings, /group\.id/)
    const [adapter, trigger] = items
    assert.deepEqual(adapter?.settings, {
      properties: { 'client.id': 'relay' },
      consumer: { properties: { 'fetch.min.bytes': 2 } },
    })
    assert.deepEqual([trigger?.initialOffset, trigger?.group], ['earliest', 'users'])
    assert.deepEqual(
      [trigger?.name, trigger?.startupPosition],
      ['com.example.users.in.greet', { type: 'group-offsets' }],
    )
  })

  it('gives each topic its own of specific offsets', () => {
    const topics = '[{topic: a, targets: [x/f]}, {topic: b, targets: [x/f]}]'
    const offsets = `startupPosition: {type: specific-offsets, offsets: [{a/0: 91}, {a/1: 11}, {c/0: 8}]}`
    const { items, warnings } = read(ingress3(offsets, topics))
    assert.deepEqual(
      items.slice(1).map(({ startupPosition }) => startupPosition),
      [{ type: 'specific-offsets', offsets: [{ 'a/0': 91 }, { 'a/1': 11 }] }, { type: 'group-offsets' }],
    )
    assert.match(warnings, /offset of c\/0 is of no topic/)
  })

  it('starts a process once that two targets name', () => {
    const { items, warnings } = read(ingress3('', '[{topic: a, targets: [x/f, y/f]}]'))
    assert.equal(items.length, 2)
    assert.match(warnings, /target y\/f is the process f, as x\/f is/)
  })

  it('tells that types of StateFun itself cannot be read', () => {
    const { warnings } = read(
      ingress3('', '[{topic: a, valueType: io.statefun.types/string, targets: [x/f]}]'),
    )
    assert.match(warnings, /io\.statefun\.types\/string as base64 text: they are Protobuf messages/)
  })

  const refused: [what: string, text: string, expected: RegExp][] = [
    [
      'a property that cannot be honoured',
      ingress3('properties: [{enable.auto.commit: true}]'),
      /m\.yaml:8:3 property enable\.auto\.commit cannot be honoured: /,
    ],
    [
      'an unknown startup position',
      ingress3('startupPosition: {type: newest}'),
      /m\.yaml:8:21 .*"newest": use one of group-offsets/,
    ],
    ['no address', ingress3().replace(/ {2}address.*\n/, ''), /ingress com\.example\/users has no address/],
    ['no group', ingress3().replace(/ {2}consumerGroupId.*\n/, ''), /has no consumerGroupId/],
    ['no id', ingress3().replace(/ {2}id.*\n/, ''), /has no id/],
  ]
  for (const [what, text, expected] of refused) {
    it(`is refused with ${what}`, () => {
      assert.match(read(text).problems, expected)
    })
  }
})

describe('a StateFun egress', () => {
  it('becomes an adapter, and tells what is taken instead of exactly-once', () => {
    const { items, problems, warnings } = read(EGRESS_2)
    assert.equal(problems, '')
    assert.deepEqual(items, [
      {
        name: 'example.output-messages',
        kind: 'kafka',
        address: 'kafka-broker:9092',
        description: 'StateFun egress example/output-messages',
        settings: { deliverySemantic: 'at-least-once' },
      },
    ])
    assert.match(
      warnings,
      /^m\.yaml:14:13 exactly-once .* at-least-once is taken instead.* timeout of 100000/m,
    )
    assert.match(warnings, /^m\.yaml:17:13 property foo\.config is none/m)
  })

  it('keeps the semantic none, and properties of a producer', () => {
    const { items, problems } = read(
      egress3('deliverySemantic: {type: none}\n  properties: [{linger.ms: 5}]'),
    )
    assert.equal(problems, '')
    assert.deepEqual(items[0]?.settings, { deliverySemantic: 'none', properties: { 'linger.ms': 5 } })
  })

  it('has another name than an ingress of the same id, whichever comes first', () => {
    const { items, warnings } = read(`${egress3('')}---${ingress3()}`)
    assert.deepEqual(
      items.map(({ name }) => name),
      ['com.example.users', 'com.example.users.in.greet', 'com.example.users.egress'],
    )
    assert.match(warnings, /becomes adapter "com\.example\.users\.egress"/)
  })

  it('is refused with a property that cannot be honoured', () => {
    assert.match(
      read(egress3('properties: {transactional.id: x}')).problems,
      /transactional\.id cannot be honoured/,
    )
  })
})

describe('a StateFun module', () => {
  it('may hold its spec, as it should', () => {
    const { items } = read(
      INGRESS_2.replace('    meta:\n    type: remote\nspec:', '  meta: {type: remote}\n  spec:'),
    )
    assert.equal(items.length, 3)
  })

  const passedOver: [what: string, text: string, expected: RegExp][] = [
    [
      'endpoints',
      module('    endpoints: [{endpoint: {}}]'),
      /m\.yaml:7:17 spec\.endpoints\[0\] has no counterpart/,
    ],
    [
      'kinds of ingress',
      INGRESS_2.replace('kafka.io/routable', 'kinesis.io/routable'),
      /kind statefun\.kinesis\.io/,
    ],
    [
      'documents',
      'kind: io.statefun.endpoints.v2/http\nspec: {functions: x}',
      /m\.yaml:2:1 kind io\.statefun\.endpoints\.v2\/http/,
    ],
    ['fields', egress3('retries: 3'), /m\.yaml:6:3 spec\.retries has no counterpart/],
  ]
  for (const [what, text, expected] of passedOver) {
    it(`warns of ${what} that have no counterpart, and goes on`, () => {
      const { warnings, problems } = read(text)
      assert.equal(problems, '')
      assert.match(warnings, expected)
    })
  }
})
