import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import schema from '@camunda/zeebe-element-templates-json-schema/resources/schema.json' with { type: 'json' }
import { Ajv } from 'ajv'
import { bindingName, parseTemplate, templateFolder } from '../helpers/element-template.js'

const files = readdirSync(templateFolder).filter((file) => file.endsWith('.json'))
const jsonOf = (file: string): unknown => JSON.parse(readFileSync(new URL(file, templateFolder), 'utf8'))
const templates = files.map((file) => parseTemplate(jsonOf(file)))
const isValid = new Ajv({ strict: false, allErrors: true }).compile(schema)

/** The service task contract: every input a task of the type can have, required ones first. */
const contract = {
  'kafka-producer.json': {
    type: 'Kafka Producer',
    required: ['adapterId', 'topic'],
    optional: ['message', 'key', 'headers', 'partition', 'timestamp', 'deliverySemantic', 'requestId'],
  },
  'rocketmq-producer.json': {
    type: 'RocketMQ Producer',
    required: ['adapterId', 'topic'],
    optional: [
      'message',
      'keys',
      'tag',
      'properties',
      'delayLevel',
      'deliverAt',
      'messageGroup',
      'producerGroup',
      'requestId',
    ],
  },
} as const

describe('the schema of Camunda element templates', () => {
  for (const file of files) {
    it(`accepts ${file}`, () => {
      assert.ok(isValid(jsonOf(file)), JSON.stringify(isValid.errors, null, 2))
    })
  }

  const breakages: Array<[what: string, from: string, to: string]> = [
    ['an input without a name', '"name": "topic"', '"title": "topic"'],
    ['a binding it does not know', '"zeebe:taskHeader"', '"zeebe:header"'],
    ['no element to apply it to', '"appliesTo"', '"applies"'],
  ]
  for (const [what, from, to] of breakages) {
    it(`refuses a copy with ${what}`, () => {
      const shipped = JSON.stringify(jsonOf('kafka-producer.json'), null, 1)
      assert.ok(shipped.includes(from))
      assert.equal(isValid(JSON.parse(shipped.replace(from, to))), false)
    })
  }
})

for (const [file, { type, required, optional }] of Object.entries(contract)) {
  describe(`the element template ${file}`, () => {
    const { properties, groups } = parseTemplate(jsonOf(file))
    const bound = (bindingType: string) => properties.filter(({ binding }) => binding.type === bindingType)

    it('sets the job type, hidden from the modeler', () => {
      const hidden = properties.filter((property) => property.type === 'Hidden')
      assert.deepEqual(
        hidden.map((property) => [bindingName(property), property.value]),
        [['type', type]],
      )
    })

    it('offers each input of the service task contract and no other', () => {
      assert.deepEqual(bound('zeebe:input').map(bindingName).sort(), [...required, ...optional].sort())
    })

    it('insists on the required inputs and leaves the others out when they are empty', () => {
      const insisted = bound('zeebe:input').filter((property) => property.constraints?.notEmpty)
      const omitted = bound('zeebe:input').filter((property) => property.optional)
      assert.deepEqual(insisted.map(bindingName).sort(), [...required].sort())
      assert.deepEqual(omitted.map(bindingName).sort(), [...optional].sort())
    })

    it('offers what results and errors become, retries and retry backoff, with their defaults', () => {
      assert.deepEqual(
        [...bound('zeebe:taskHeader'), ...bound('zeebe:taskDefinition')]
          .filter((property) => property.type !== 'Hidden')
          .map((property) => [bindingName(property), property.value]),
        [
          ['resultVariable', undefined],
          ['resultExpression', undefined],
          ['errorExpression', undefined],
          ['retryBackoff', 'PT30S'],
          ['retries', '3'],
        ],
      )
    })

    it('labels every field and puts it into a group of the panel', () => {
      const groupIds = groups.map((group) => group.id)
      for (const property of properties.filter(({ type }) => type !== 'Hidden')) {
        assert.ok(property.label, `${property.id} has no label`)
        assert.ok(groupIds.includes(property.group ?? ''), `${property.id} is in no group`)
      }
    })

    it('has compilable patterns that its defaults satisfy', () => {
      for (const { id, value, constraints } of properties) {
        const pattern = constraints?.pattern
        if (pattern) assert.match(value ?? '', new RegExp(`${pattern.value}|^$`), id)
      }
    })

    it('binds no two fields to one place', () => {
      const places = properties.map((property) => `${property.binding.type} ${bindingName(property)}`)
      assert.deepEqual(places, [...new Set(places)])
    })
  })
}

describe('the element templates together', () => {
  it('are those of the contract', () => {
    assert.deepEqual([...files].sort(), Object.keys(contract).sort())
  })

  it('have unique pairs of id and version', () => {
    const ids = templates.map(({ id, version }) => `${id} ${version}`)
    assert.deepEqual(ids, [...new Set(ids)])
  })

  it('have ids in the style of this project', () => {
    for (const { id } of templates) assert.match(id, /^io\.bpmn-relay\.[a-z-]+\.v[0-9]+$/)
  })
})
